import { step, type Step } from '../../../engine/step.ts';
import { ArmSmmuTlb, type Space } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Reads the one `asid` field instead of the invalidation set. */
class OneAsidTlb extends ArmSmmuTlb {
  override invalidationSet(space: Space): Step<number> {
    return step(
      `load ${space.asid.name}`,
      () => (space.invs.value === 0 ? 0 : 1 << space.asid.value),
      (set) => (set === 0 ? 'none' : String(31 - Math.clz32(set))),
    );
  }
}

/** unmap flushes the ASID that the domain will have, while devices still use the one that it had. */
export const shareAsidUnmapWindow: AsidHazard = {
  id: 'share-asid-unmap-window',
  title: 'unmap invalidates one of the two ASIDs that a domain has during reassignment',
  citation:
    'arm_smmu_share_asid(), Linux 5.10 to 6.8: "TLB invalidations will start targeting the new ASID, which isn\'t assigned yet"; the FIXME in arm_smmu_realloc_s1_domain_asid(), Linux 6.10',
  story:
    'bind gives a private domain a new ASID and stores it in the domain before any context descriptor is rewritten. An unmap in between invalidates the new ASID, under which nothing is cached, and the page goes to its next owner while the device still reaches it under the old one.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { tlb: OneAsidTlb },
};
