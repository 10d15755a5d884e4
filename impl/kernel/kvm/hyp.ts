import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { smp_mb, wmb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { hex } from '../format.ts';
import type { Kvm } from './kvm.ts';
import type { KvmCpu } from './port.ts';
import { vmidOf } from './vmid-id.ts';

/**
 * What runs at EL2 (`arch/arm64/kvm/hyp/nvhe/{switch,tlb}.c`, Linux 6.1): guests are entered and left, and TLBs are
 * invalidated. EL2 uses VTTBR_EL2 for both, so each function puts the host's own back before it returns to the host. While
 * the CPU is at EL2 no walk by VTTBR_EL2 begins (Arm ARM D8.1.5 R_NRJPP); one that goes on from before ends with a DSB
 * (R_LFHQG), which stands before each write of VTTBR_EL2 since Linux 6.4.
 */
export class KvmHyp {
  protected readonly machine: Machine;
  protected readonly cpu: KvmCpu;
  /** For each CPU: 1 while it is in a guest. Only that CPU looks at it, and who sends it an interrupt. */
  readonly inGuest: readonly Cell[];

  constructor(machine: Machine, cpu: KvmCpu, { cpus }: { readonly cpus: number }) {
    this.machine = machine;
    this.cpu = cpu;
    this.inGuest = Array.from({ length: cpus }, (_, at) => new Cell(machine, `CPU${at} in guest`, { internal: true }));
  }

  /**
   * `__kvm_vcpu_run()` as far as the guest is entered. Whatever the CPU has stored is in memory before (`vcpu->mode` is stored
   * with `smp_store_mb`, `kvm_arch_vcpu_ioctl_run`).
   *
   * @param entered called in the step in which the guest is entered.
   */
  *kvm_vcpu_run(cpu: number, kvm: Kvm, entered: () => void): Task {
    yield* this.loadForGuest(cpu, kvm);
    yield* step(`enter ${kvm.name}`, () => {
      this.cpu.enterGuest(cpu);
      this.guest(cpu).value = 1;
      entered();
      return undefined;
    });
  }

  /** `__kvm_vcpu_run()` from an exception on, inside a step: out of the guest, and to the host. */
  exit(cpu: number): void {
    this.guest(cpu).value = 0;
    this.cpu.enterHyp(cpu);
    this.cpu.dsbWalks?.(cpu);
    this.load_host_stage2(cpu);
    this.cpu.enterHost(cpu);
  }

  /**
   * `__kvm_tlb_flush_vmid_ipa()`. Entries of both stages may be made of a stage 2 entry until that is gone for certain, so
   * they are invalidated after the first DSB.
   */
  *kvm_tlb_flush_vmid_ipa(cpu: number, kvm: Kvm, ipa: number): Task {
    yield* this.tlb_switch_to_guest(cpu, kvm);
    yield* this.flushIpa(cpu, ipa);
  }

  /** The same for the machine that VTTBR_EL2 has. */
  *flushIpa(cpu: number, ipa: number): Task {
    yield* this.tlbiIpa(cpu, ipa);
    yield* this.dsbBetween(cpu);
    yield* this.tlbiStageOne(cpu);
    yield* this.syncAndSwitchToHost(cpu);
  }

  /** `__kvm_tlb_flush_vmid()`: everything of a machine. */
  *kvm_tlb_flush_vmid(cpu: number, kvm: Kvm): Task {
    yield* this.tlb_switch_to_guest(cpu, kvm);
    yield* step('TLBI VMALLS12E1IS', () => {
      this.cpu.tlbiVmalls12e1is(cpu);
      return undefined;
    });
    yield* this.syncAndSwitchToHost(cpu);
  }

  /** `__kvm_flush_cpu_context()`: what another vCPU of the machine has left on this CPU. */
  kvm_flush_cpu_context(cpu: number, kvm: Kvm): Step<number> {
    return step(
      `TLBI VMALLE1 of ${kvm.name}, DSB NSH`,
      () => {
        const vmid = this.switchToGuest(cpu, kvm);
        this.cpu.tlbiVmalle1(cpu);
        this.cpu.dsbNsh(cpu);
        this.tlb_switch_to_host(cpu);
        return vmid;
      },
      showNumber,
    );
  }

  /** `__kvm_flush_vm_context()`: everything of all machines, on all CPUs. */
  *kvm_flush_vm_context(cpu: number): Task {
    yield* step('TLBI ALLE1IS', () => {
      wmb(this.machine);
      this.cpu.tlbiAlle1is(cpu);
      return undefined;
    });
    yield* this.dsbIsh(cpu);
  }

  /** `__load_stage2()` with the barrier in front that whoever enters a guest has behind it. */
  protected loadForGuest(cpu: number, kvm: Kvm): Step<number> {
    return step(
      `VTTBR := ${kvm.name}`,
      () => {
        this.inGuestMode();
        this.cpu.enterHyp(cpu);
        this.waitForWalks(cpu);
        return this.load_stage2(cpu, kvm);
      },
      showNumber,
    );
  }

  /** `smp_store_mb(vcpu->mode, IN_GUEST_MODE)`. */
  protected inGuestMode(): void {
    smp_mb(this.machine);
  }

  /** `__load_stage2()`, inside a step: reads the VMID, once. */
  protected load_stage2(cpu: number, kvm: Kvm): number {
    const vmid = vmidOf(kvm.id.value);
    this.cpu.writeVttbr(cpu, kvm.pgd, vmid);
    return vmid;
  }

  /** `__load_host_stage2()`, inside a step. */
  protected load_host_stage2(cpu: number): void {
    this.cpu.writeHostVttbr(cpu);
  }

  /** `__tlb_switch_to_guest()`. */
  tlb_switch_to_guest(cpu: number, kvm: Kvm): Step<number> {
    return step(`VTTBR := ${kvm.name}`, () => this.switchToGuest(cpu, kvm), showNumber);
  }

  /**
   * The same within a step. The barrier in front sees to it that whoever gets a new VMID after the old one was read here
   * walks a table in which the entry is cleared.
   */
  protected switchToGuest(cpu: number, kvm: Kvm): number {
    this.dsbIshst();
    this.cpu.enterHyp(cpu);
    this.waitForWalks(cpu);
    this.blockWalks(cpu, true);
    return this.load_stage2(cpu, kvm);
  }

  /** `__tlb_switch_to_host()`, inside a step. */
  protected tlb_switch_to_host(cpu: number): void {
    this.load_host_stage2(cpu);
    this.blockWalks(cpu, false);
    this.cpu.enterHost(cpu);
  }

  /** `dsb(nsh)`, inside a step: what is written to VTTBR_EL2 next is not used by walks of the host. */
  protected waitForWalks(cpu: number): void {
    this.cpu.dsbWalks?.(cpu);
  }

  /**
   * `ARM64_WORKAROUND_SPECULATIVE_AT`, inside a step. The VMID in VTTBR_EL2 need not be active: a roll-over may give it away
   * while TLBs are invalidated by it.
   */
  protected blockWalks(cpu: number, blocked: boolean): void {
    this.cpu.blockWalks?.(cpu, blocked);
  }

  protected dsbIshst(): void {
    wmb(this.machine);
  }

  protected tlbiIpa(cpu: number, ipa: number): Step<undefined> {
    return step(`TLBI IPAS2E1IS ${hex(ipa)}`, () => {
      this.cpu.tlbiIpas2e1is(cpu, ipa);
      return undefined;
    });
  }

  protected *dsbBetween(cpu: number): Task {
    yield* this.dsbIsh(cpu);
  }

  protected tlbiStageOne(cpu: number): Step<undefined> {
    return step('TLBI VMALLE1IS', () => {
      this.cpu.tlbiVmalle1is(cpu);
      return undefined;
    });
  }

  protected dsbIsh(cpu: number): Step<undefined> {
    return step('DSB ISH', () => {
      smp_mb(this.machine);
      this.cpu.dsbIsh(cpu);
      return undefined;
    });
  }

  /** The last DSB, and the way back to the host. */
  protected syncAndSwitchToHost(cpu: number): Step<undefined> {
    return step('DSB ISH, VTTBR := host', () => {
      this.sync(cpu);
      this.tlb_switch_to_host(cpu);
      return undefined;
    });
  }

  /** `__tlbi_sync_s1ish_hyp()`, inside a step. */
  protected sync(cpu: number): void {
    smp_mb(this.machine);
    this.cpu.dsbIsh(cpu);
  }

  protected guest(cpu: number): Cell {
    return this.inGuest[cpu] as Cell;
  }
}

function showNumber(vmid: number): string {
  return `VMID ${vmid}`;
}
