import { step, type Task } from '../../../engine/step.ts';
import { ArmSmmuDriver, type Domain } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Frees the domain without `arm_smmu_asid_lock`. */
class UnlockedFreeDriver extends ArmSmmuDriver {
  override *arm_smmu_domain_free(domain: Domain): Task {
    yield* this.free_io_pgtable_ops(domain);
    yield* this.arm_smmu_domain_free_asid(domain);
    yield* step(`kfree(${domain.name})`, () => {
      this.kernel.domains.free(domain.handle);
      return undefined;
    });
  }
}

/** bind rewrites the ASID of a domain that is being freed. */
export const shareAsidDomainFree: AsidHazard = {
  id: 'share-asid-domain-free',
  title: 'a domain is freed without the lock under which bind reassigns its ASID',
  citation:
    'arm_smmu_domain_free(), Linux 5.10: mutex_lock(&arm_smmu_asid_lock), "Prevent SVA from touching the CD while we\'re freeing it"',
  story:
    'bind has found a private domain as the owner of the ASID that it wants and is about to give that domain another one, while the domain goes: it writes to freed memory, or the ASID that it has just allocated leaks or is freed twice.',
  expected: [
    { monitor: 'tags', rule: 'tag-not-owned' },
    { monitor: 'safety', rule: 'use-after-free' },
    { monitor: 'tags', rule: 'tag-free-while-owned' },
  ],
  parts: { driver: UnlockedFreeDriver },
};
