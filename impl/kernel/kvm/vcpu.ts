import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { KvmHyp } from './hyp.ts';
import type { Kvm } from './kvm.ts';
import type { KvmVmid } from './vmid.ts';

/** A virtual CPU: `struct kvm_vcpu`. */
export class KvmVcpu {
  readonly name: string;
  readonly kvm: Kvm;
  /** `vcpu_id`, from 0 in each machine. */
  readonly id: number;
  /** `vcpu->cpu` plus 1: where it is loaded; 0: nowhere. */
  readonly cpu: Cell;

  constructor(machine: Machine, kvm: Kvm, id: number) {
    this.name = `${kvm.name}.${id}`;
    this.kvm = kvm;
    this.id = id;
    this.cpu = new Cell(machine, `${this.name}.cpu`, { internal: true });
  }
}

/** How vCPUs come to run on CPUs (`arch/arm64/kvm/arm.c`, Linux 6.1). */
export class KvmVcpus {
  protected readonly machine: Machine;
  protected readonly hyp: KvmHyp;
  protected readonly vmid: KvmVmid;

  constructor(machine: Machine, hyp: KvmHyp, vmid: KvmVmid) {
    this.machine = machine;
    this.hyp = hyp;
    this.vmid = vmid;
  }

  /** `vcpu_load()`: the thread of the vCPU runs on a CPU, where none is loaded. */
  *vcpu_load(cpu: number, vcpu: KvmVcpu): Task {
    const other = yield* this.kvm_arch_vcpu_load(cpu, vcpu);
    if (other) yield* this.hyp.kvm_flush_cpu_context(cpu, vcpu.kvm);
  }

  /**
   * `kvm_arch_vcpu_ioctl_run()` until the guest is entered. Preemption is off from the update on: the VMID of a thread that
   * is preempted is not active any more, so that a roll-over would not keep it.
   */
  *vcpu_run(cpu: number, vcpu: KvmVcpu): Task {
    for (let again = true; again;) {
      yield* this.vmid.kvm_arm_vmid_update(cpu, vcpu.kvm);
      const request = this.vmid.exitRequested(cpu, vcpu.kvm);
      again = request !== undefined && (yield* request);
    }
    yield* this.hyp.kvm_vcpu_run(cpu, vcpu.kvm, () => this.vmid.entered(cpu));
  }

  /** `vcpu_put()`: the thread of the vCPU, which is out of the guest, leaves the CPU. */
  vcpu_put(cpu: number, vcpu: KvmVcpu): Step<undefined> {
    return step(`vcpu_put(${vcpu.name})`, () => {
      this.vmid.kvm_arm_vmid_clear_active(cpu);
      vcpu.cpu.value = 0;
      return undefined;
    });
  }

  /** An interrupt takes a CPU out of the guest that it may be in, inside a step. The vCPU stays loaded. */
  interrupt(cpu: number): void {
    if (this.isInGuest(cpu)) this.hyp.exit(cpu);
  }

  /** Inside a step: whether a CPU is in a guest. */
  isInGuest(cpu: number): boolean {
    return (this.hyp.inGuest[cpu] as Cell).value === 1;
  }

  /**
   * `kvm_arch_vcpu_load()`. True if another vCPU of the machine was the last on this CPU, for which each has a TLB of its own.
   */
  protected kvm_arch_vcpu_load(cpu: number, vcpu: KvmVcpu): Step<boolean> {
    return step(`vcpu_load(${vcpu.name})`, () => {
      this.afterSwitch();
      vcpu.cpu.value = cpu + 1;
      const last = vcpu.kvm.lastVcpuRan[cpu] as Cell;
      const other = last.value !== vcpu.id + 1;
      last.value = vcpu.id + 1;
      return other;
    });
  }

  /**
   * What was stored before is in memory: another thread has run (`dsb(ish)` in `__switch_to()`), or the same has given
   * `vcpu->mutex` back and taken it again. `kvm_arm_vmid_update()` relies on it: the active VMID that
   * `kvm_arm_vmid_clear_active()` has stored must not overwrite the 0 of a roll-over later.
   */
  protected afterSwitch(): void {
    smp_mb(this.machine);
  }
}
