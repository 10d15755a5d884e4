import { step, type Step, type Task } from '../../../engine/step.ts';
import { ArmSmmuDriver, type Domain, type Master } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Adds the device to the domain's invalidation set when it is attached already. */
class LatePublishDriver extends ArmSmmuDriver {
  override arm_smmu_attach_prepare(domain: Domain, master: Master): Step<number> {
    return step(`load ${domain.asid.name}`, () => {
      this.attachBegin(domain, master);
      return domain.asid.value;
    });
  }

  override *arm_smmu_attach_commit(domain: Domain, old: number, master: Master): Task {
    yield* step(`${domain.name}.invs ∪= {${domain.name}.asid}`, () => {
      this.publish(domain, master);
      return undefined;
    });
    yield* super.arm_smmu_attach_commit(domain, old, master);
  }
}

/** unmap does not know of the device that translates already. */
export const smmuAttachPublishLate: AsidHazard = {
  id: 'smmu-attach-publish-late',
  title: 'a device is in the invalidation set only after its stream table entry is live',
  citation:
    'arm_smmu_domain_inv_range() and arm_smmu_attach_prepare(); list_add after arm_smmu_install_ste_for_dev(), Linux 6.1',
  story:
    'attach makes the device translate and then adds its tag to the domain’s invalidation set. An unmap in between finds nobody to invalidate for, and the device keeps what it has just walked.',
  expected: [
    { monitor: 'translation', rule: 'stale-translation' },
    { monitor: 'tables', rule: 'table-free-in-use' },
    { monitor: 'translation', rule: 'tlb-conflict' },
  ],
  parts: { driver: LatePublishDriver },
};
