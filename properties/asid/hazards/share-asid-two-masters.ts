import { step, type Task } from '../../../engine/step.ts';
import { ArmSmmuSva, formatTags, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Flushes the old ASID and forgets it device by device, inside the loop that rewrites the context descriptors. */
class FlushInLoopSva extends ArmSmmuSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    const asid = yield* this.allocNewAsid(domain);
    if (asid === 0) return false;
    const devices = yield* this.publishNewAsid(domain, old, asid);
    for (const master of this.kernel.mastersOf(devices)) {
      yield* this.rewriteCtxDescs(1 << master.index, asid);
      yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(old);
      yield* step(`${domain.name}.invs ∖= ${formatTags(1 << old)}`, () => {
        domain.invs.value &= ~(1 << old);
        return undefined;
      });
    }
    yield* this.dropOldAsid(domain, old, asid);
    return true;
  }
}

/** Right for one device, wrong for two. */
export const shareAsidTwoMasters: AsidHazard = {
  id: 'share-asid-two-masters',
  title: 'the old ASID is dropped after the first device, while the second one still uses it',
  citation:
    'arm_smmu_write_ctx_desc() loop of arm_smmu_share_asid(), Linux 5.10 to 6.8: "invalidating only one ASID of two active ASIDs" (FIXME of Linux 6.10)',
  story:
    'The context descriptors of several devices are rewritten one after the other. When the old ASID leaves the invalidation set after the first one, an unmap does not reach what the second device has cached and goes on caching under it.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { sva: FlushInLoopSva },
};
