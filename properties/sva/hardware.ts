import type { Machine } from '../../engine/machine.ts';
import { THIS_CPU } from '../../impl/kernel/btm/index.ts';
import type { Arm64Tlbi } from '../../impl/kernel/arm64/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { RolloverHardware, type HardwareOptions } from '../rollover/hardware.ts';

/** Who is told of what the CPUs do. */
export interface HardwareListener {
  /** A CPU has written TTBR0_EL1; undefined: the reserved table. */
  written(cpu: number, pgd: number | undefined): void;
  /** A CPU is about to broadcast a TLBI. */
  broadcasts(instruction: Arm64Tlbi): void;
  /** Entries may have gone. */
  changed(): void;
}

/** The CPUs, of which one may be named as the one that runs the step. */
export class SvaHardware extends RolloverHardware {
  readonly #machine: Machine;
  readonly #listener: HardwareListener;
  /** For each agent the CPU that it is. */
  #processors: readonly number[] = [];

  constructor(machine: Machine, memory: PhysicalMemory, options: HardwareOptions, listener: HardwareListener) {
    super(machine.store, memory, options, (cpu, pgd) => listener.written(cpu, pgd));
    this.#machine = machine;
    this.#listener = listener;
  }

  /** Says which CPU each agent is. */
  assign(processors: readonly number[]): void {
    this.#processors = processors;
  }

  override tlbi(cpu: number, instruction: Arm64Tlbi, broadcast: boolean): void {
    const processor = this.#processor(cpu);
    if (broadcast) this.#listener.broadcasts(instruction);
    super.tlbi(processor, instruction, broadcast);
  }

  override dsbNsh(cpu: number): void {
    super.dsbNsh(this.#processor(cpu));
    this.#listener.changed();
  }

  override dsbIsh(cpu: number): void {
    super.dsbIsh(this.#processor(cpu));
    this.#listener.changed();
  }

  /**
   * Whether a walk of a CPU may still read from some memory: one that has loaded an ASID under which it is held, or that may
   * load any without a flush. What a roll-over has left behind goes before that (`tlb_flush_pending`).
   *
   * @param settled whether a CPU is in no switch; the others are not asked (see `RolloverContract`).
   * @param flushes whether a CPU will flush its TLB before it loads another ASID.
   */
  tableWalked(pa: number, size: number, settled: (cpu: number) => boolean, flushes: (cpu: number) => boolean) {
    const walks = (half: number, asid: number): boolean => {
      const cpu = this.cpuOf(half);
      return settled(cpu) && (this.tlbs.loaded(half)?.asid === asid || !flushes(cpu));
    };
    return this.tlbs.tableHeld(pa, size, (cpus, asid) => cpus.some((half) => walks(half, asid)));
  }

  #processor(cpu: number): number {
    // Set-up is done by the first CPU.
    return cpu === THIS_CPU ? (this.#processors[this.#machine.current] ?? 0) : cpu;
  }
}
