import type { Task } from '../../../engine/step.ts';
import { ArmSmmuSva, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Rewrites the context descriptors before unmap is told of the new ASID. */
class CdFirstSva extends ArmSmmuSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    const asid = yield* this.allocNewAsid(domain);
    if (asid === 0) return false;
    const devices = yield* domain.devices.load();
    yield* this.rewriteCtxDescs(devices, asid);
    yield* this.publishNewAsid(domain, old, asid);
    if (devices !== 0) yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(old);
    yield* this.dropOldAsid(domain, old, asid);
    return true;
  }
}

/** The other order of the same two stores: worse, since what is cached under the new ASID stays for good. */
export const shareAsidCdFirst: AsidHazard = {
  id: 'share-asid-cd-first',
  title: 'context descriptors have the new ASID before unmap knows of it',
  citation:
    'arm_smmu_share_asid(), Linux 5.10 to 6.8, with the store to cd->asid moved behind arm_smmu_write_ctx_desc()',
  story:
    'Moving the store of the new ASID behind the rewriting of the context descriptors does not close the window of share-asid-unmap-window: the device walks under the new ASID while unmap still invalidates the old one, and nobody ever invalidates what that walk has left behind.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { sva: CdFirstSva },
};
