import { HarnessError } from '../../../engine/failure.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { ArmSmmuDomains, type PagingDomain } from '../nested/index.ts';
import type { VbtmKernel } from './kernel.ts';

/** The cache that a tag of the SMMU's entries is in, and that of the CPUs' ("caches" of the contract). */
export const CACHE = { SMMU: 0, CPU: 1 } as const;

/** Life of paging domains whose VMIDs may be KVM's. */
export class VbtmDomains extends ArmSmmuDomains {
  declare protected readonly kernel: VbtmKernel;

  /**
   * `arm_smmu_domain_finalise()` of a stage 2 with a KVM: its VMID is the virtual machine's, pinned, so that what the guest
   * and KVM invalidate is what the SMMU has ("Use pinned KVM VMID for stage 2", 2024). All others have private ones.
   */
  override *arm_smmu_domain_finalise(domain: PagingDomain): Task<boolean> {
    const machine = yield* this.machineOf(domain);
    if (machine < 0) return yield* super.arm_smmu_domain_finalise(domain);
    return yield* this.finaliseWithKvm(domain, machine);
  }

  /**
   * Pins the VMID and takes it over. A VMID stands for one stage 2 in an SMMU, so a virtual machine has no second one there:
   * the entries of the two would be told apart by nothing.
   */
  protected *finaliseWithKvm(domain: PagingDomain, machine: number): Task<boolean> {
    if (!(yield* this.claim(domain, machine))) return false;
    const vmid = yield* this.kernel.kvm.kvm_arm_pinned_vmid_get(machine);
    if (vmid === 0) {
      yield* this.unclaim(machine);
      return false;
    }
    yield* this.takeVmid(domain, vmid);
    return true;
  }

  /** The domain is to be the stage 2 of a virtual machine in this SMMU. False if there is one. */
  protected claim(domain: PagingDomain, machine: number): Step<boolean> {
    const stage2 = this.kernel.stage2Of(machine);
    return step(`cmpxchg ${stage2.name} 0 → ${domain.name}`, () => {
      if (stage2.value !== 0) return false;
      stage2.value = domain.handle;
      return true;
    });
  }

  protected unclaim(machine: number): Step<undefined> {
    return this.kernel.stage2Of(machine).store(0);
  }

  /** The domain has the VMID from now on. */
  protected takeVmid(domain: PagingDomain, vmid: number): Step<undefined> {
    return step(`${domain.name}.vmid := ${vmid}`, () => {
      domain.vmid.value = vmid;
      this.kernel.emit({ type: 'tag.assign', kind: 'vmid', tag: vmid, space: domain.id.value, cache: CACHE.SMMU });
      return undefined;
    });
  }

  /** The VMID goes back: a private one to the driver's own map, another one to KVM, which may give it out again. */
  override *freeTag(domain: PagingDomain): Task {
    const machine = yield* this.machineOf(domain);
    if (machine < 0) return yield* super.freeTag(domain);
    yield* this.dropVmid(domain);
    yield* this.unclaim(machine);
    yield* this.releaseKvm(machine);
  }

  /** The VMID may be given to others, and the domain uses the virtual machine no more. */
  protected *releaseKvm(machine: number): Task {
    yield* this.kernel.kvm.kvm_arm_pinned_vmid_put(machine);
    yield* this.kernel.kvm.kvm_put_kvm(machine);
  }

  /** Nothing in the SMMU has the VMID any more. */
  protected dropVmid(domain: PagingDomain): Step<undefined> {
    return step(`drop VMID of ${domain.name}`, () => {
      const tag = domain.vmid.value;
      if (tag === 0) throw new HarnessError(`${domain.name} has no VMID`);
      const space = domain.id.value;
      this.kernel.emit({ type: 'tag.release', kind: 'vmid', tag, space, cache: CACHE.SMMU });
      this.kernel.emit({ type: 'tag.free', kind: 'vmid', tag, cache: CACHE.SMMU });
      return undefined;
    });
  }

  /** The virtual machine whose KVM a domain has a reference to, -1: none. */
  protected machineOf(domain: PagingDomain): Step<number> {
    return step(
      `${domain.name}.kvm`,
      () => this.kernel.kvmOf(domain).value - 1,
      (machine) => (machine < 0 ? 'NULL' : this.kernel.kvm.nameOf(machine)),
    );
  }
}
