import type { Task } from '../../../engine/step.ts';
import { HostOperations } from '../nested/index.ts';
import type { VbtmKernel } from './kernel.ts';

/** What a program can do on the hypervisor's side of the SMMU. */
export class VbtmHostOperations extends HostOperations {
  declare protected readonly kernel: VbtmKernel;

  /**
   * `IOMMU_HWPT_ALLOC`: the domain of a place. One of a virtual machine is made in its iommufd context, with a reference to
   * its KVM; without KVM there is none, since its VMID has to come from there.
   */
  override *domainAlloc(place: number): Task<boolean> {
    const { kernel } = this;
    const machine = kernel.pins ? (kernel.nesting.machineOf[place] ?? -1) : -1;
    if (machine < 0) return yield* super.domainAlloc(place);
    if (!(yield* kernel.iommufd.get(machine))) return false;
    const done = yield* super.domainAlloc(place, (domain) => {
      kernel.kvmOf(domain).value = machine + 1;
    });
    if (!done) yield* kernel.kvm.kvm_put_kvm(machine);
    return done;
  }
}
