import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { KvmHyp } from './hyp.ts';
import type { Kvm } from './kvm.ts';
import type { KvmCpu } from './port.ts';
import { KvmVcpus, type KvmVcpu } from './vcpu.ts';
import type { KvmVmid } from './vmid.ts';

/**
 * The same where the host runs at EL2 (`hyp/vhe/{switch,tlb}.c`, Linux 6.7 and later): nothing is walked by VTTBR_EL2 but in
 * a guest. So VTTBR_EL2 is written when a vCPU is loaded, and stays; who invalidates by another machine puts it back.
 */
export class KvmHypVhe extends KvmHyp {
  /** For each CPU: table of the machine whose vCPU is loaded, 0 for none. */
  protected readonly mmu: readonly Cell[];
  /** Machines by their tables, which does not change. */
  readonly #kvms = new Map<number, Kvm>();

  constructor(machine: Machine, cpu: KvmCpu, { cpus }: { readonly cpus: number }) {
    super(machine, cpu, { cpus });
    this.mmu = Array.from({ length: cpus }, (_, at) => new Cell(machine, `hw_mmu[${at}]`, { internal: true }));
  }

  /** `kvm_vcpu_load_vhe()`. */
  kvm_vcpu_load(cpu: number, kvm: Kvm): Step<number> {
    return step(`VTTBR := ${kvm.name}`, () => this.load(cpu, kvm), showNumber);
  }

  /** Inside a step: no vCPU is loaded any more. VTTBR_EL2 stays. */
  kvm_vcpu_put(cpu: number): void {
    this.mmuOf(cpu).value = 0;
  }

  override *kvm_vcpu_run(cpu: number, kvm: Kvm, entered: () => void): Task {
    yield* step(`enter ${kvm.name}`, () => {
      this.inGuestMode();
      this.cpu.enterGuest(cpu);
      this.guest(cpu).value = 1;
      entered();
      return undefined;
    });
  }

  override exit(cpu: number): void {
    this.guest(cpu).value = 0;
    this.cpu.enterHyp(cpu);
    this.cpu.dsbWalks?.(cpu);
  }

  /** Inside a step. */
  protected load(cpu: number, kvm: Kvm): number {
    this.#kvms.set(kvm.pgd, kvm);
    this.mmuOf(cpu).value = kvm.pgd;
    return this.load_stage2(cpu, kvm);
  }

  protected override tlb_switch_to_host(cpu: number): void {
    const loaded = this.#kvms.get(this.mmuOf(cpu).value);
    if (loaded !== undefined) this.load_stage2(cpu, loaded);
    this.blockWalks(cpu, false);
  }

  protected mmuOf(cpu: number): Cell {
    return this.mmu[cpu] as Cell;
  }
}

/**
 * How vCPUs come to run there (`arch/arm64/kvm/arm.c`, Linux 6.14 and later): the VMID is updated when the vCPU is loaded,
 * before VTTBR_EL2 is written. It is active until the vCPU is put, so that a roll-over keeps it.
 */
export class KvmVcpusVhe extends KvmVcpus {
  protected readonly vhe: KvmHypVhe;

  constructor(machine: Machine, hyp: KvmHypVhe, vmid: KvmVmid) {
    super(machine, hyp, vmid);
    this.vhe = hyp;
  }

  override *vcpu_load(cpu: number, vcpu: KvmVcpu): Task {
    const other = yield* this.kvm_arch_vcpu_load(cpu, vcpu);
    yield* this.vmid.kvm_arm_vmid_update(cpu, vcpu.kvm);
    if (other) yield* this.hyp.kvm_flush_cpu_context(cpu, vcpu.kvm);
    yield* this.vhe.kvm_vcpu_load(cpu, vcpu.kvm);
  }

  override *vcpu_run(cpu: number, vcpu: KvmVcpu): Task {
    yield* this.hyp.kvm_vcpu_run(cpu, vcpu.kvm, () => this.vmid.entered(cpu));
  }

  override vcpu_put(cpu: number, vcpu: KvmVcpu): Step<undefined> {
    const put = super.vcpu_put(cpu, vcpu);
    return step(put.label, () => {
      this.vhe.kvm_vcpu_put(cpu);
      return put.run();
    });
  }
}

function showNumber(vmid: number): string {
  return `VMID ${vmid}`;
}
