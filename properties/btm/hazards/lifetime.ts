import { step, type Step, type Task } from '../../../engine/step.ts';
import { IommufdContexts, VbtmDomains } from '../../../impl/kernel/vbtm/index.ts';
import { GONE } from './expected.ts';
import type { BtmHazard } from './hazard.ts';

/** Takes the pointer, and no reference. */
class NoReference extends IommufdContexts {
  protected override take(context: number): Step<boolean> {
    return step(`ictx${context}.kvm`, () => this.pointer(context).value !== 0);
  }
}

/** Looks at the pointer without the lock. */
class Unlocked extends IommufdContexts {
  override *get(context: number): Task<boolean> {
    const pointer = yield* this.pointer(context).load();
    if (pointer === 0) return false;
    return yield* step(`kvm_get_kvm_safe(${this.kvm.nameOf(pointer - 1)})`, () =>
      this.kvm.kvm_get_kvm_safe(pointer - 1),
    );
  }
}

/** Gives the virtual machine back before its VMID. */
class PutFirst extends VbtmDomains {
  protected override *releaseKvm(machine: number): Task {
    yield* this.kernel.kvm.kvm_put_kvm(machine);
    yield* this.kernel.kvm.kvm_arm_pinned_vmid_put(machine);
  }
}

const SAFE = 'vfio_device_get_kvm_safe(), Linux 6.3, "vfio: fix deadlock between group lock and kvm lock"';

/** Mistakes about how long a virtual machine lives. */
export const LIFETIME_HAZARDS: readonly BtmHazard[] = [
  {
    id: 'iommufd-kvm-no-reference',
    title: 'a stage 2 uses the VMID of a virtual machine without a reference to the machine',
    citation: `${SAFE}; "iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024: a KVM pointer in the iommufd context`,
    story:
      'The files of the machine are closed while a domain has its VMID. KVM frees the machine; the domain gives back a VMID that is nobody’s.',
    expected: GONE,
    parts: { iommufd: NoReference },
  },
  {
    id: 'iommufd-kvm-unlocked',
    title: 'the KVM of an iommufd context is read without the lock under which it is forgotten',
    citation: SAFE,
    story: 'Between the load of the pointer and the reference the machine is destroyed.',
    expected: GONE,
    parts: { iommufd: Unlocked },
  },
  {
    id: 'kvm-put-before-unpin',
    title: 'a domain puts its virtual machine before it gives the pinned VMID back',
    citation: 'kvm_arm_pinned_vmid_put(&kvm->arch.vmid), "iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024',
    story: 'The reference was the last one: the VMID lies in memory that is freed.',
    expected: GONE,
    parts: { domains: PutFirst },
  },
];
