import { step, type Step } from '../../../engine/step.ts';
import { ArmSmmuSva, formatTags, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Publishes the new ASID by plain stores. */
class NoBarrierSva extends ArmSmmuSva {
  protected override publishNewAsid(domain: Domain, old: number, asid: number): Step<number> {
    return step(`${domain.name}.asid := ${asid}, invs ∪= ${formatTags(1 << asid)}`, () => {
      this.assignNewAsid(domain, asid);
      const devices = domain.devices.value;
      if (devices !== 0) domain.invs.value = (1 << old) | (1 << asid);
      return devices;
    });
  }
}

/** The right order in the program, and the wrong one in memory. */
export const shareAsidStoreBuffer: AsidHazard = {
  id: 'share-asid-store-buffer',
  title: 'nothing orders the store of the new ASID before those to the context descriptors',
  citation:
    'arm_smmu_share_asid(), Linux 5.10 to 6.8: a plain store to cd->asid, then WRITE_ONCE() of cdptr[0] in arm_smmu_write_ctx_desc(), with no barrier in between',
  story:
    'bind stores the domain’s new ASID and then the context descriptors, but the first store may reach memory last. The device walks under the new ASID while unmap still reads the old one, so what that walk has left behind is never invalidated: share-asid-cd-first, made by the store buffer.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { sva: NoBarrierSva },
};
