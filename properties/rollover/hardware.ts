import type { Store } from '../../engine/store.ts';
import type { Arm64Cpu, Arm64Tlbi } from '../../impl/kernel/arm64/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { CpuTlbs, type CpuTlbOptions } from '../../model/architecture/arm/cpu/cpu-tlbs.ts';
import type { Hardware } from './contract.ts';

/** The CPUs of a machine: `cpus`, whether they share their TLBs, what these can ever hold, who else hears broadcasts. */
export interface HardwareOptions extends CpuTlbOptions {
  /** A process has two ASIDs. */
  readonly kpti?: boolean | undefined;
}

/**
 * The CPUs: what the kernel tells them goes to the saturated TLBs.
 *
 * With KPTI a CPU has two ASIDs, one in the kernel and one outside, and goes from one to the other whenever it likes, so both
 * are loaded all the time, each on a CPU of the model of its own. Their entries never have the ASID in common, so it makes no
 * difference that the two have a TLB each: what concerns the whole TLB is told to both.
 */
export class RolloverHardware implements Arm64Cpu, Hardware {
  protected readonly tlbs: CpuTlbs;
  readonly #cpus: number;
  /** For each CPU: of the model's CPUs those that it is. */
  readonly #halves: readonly (readonly number[])[];
  readonly #written: (cpu: number, pgd: number | undefined) => void;

  /** @param written called after a CPU has written TTBR0_EL1. */
  constructor(
    store: Store,
    memory: PhysicalMemory,
    { cpus, kpti = false, ...options }: HardwareOptions,
    written: (cpu: number, pgd: number | undefined) => void,
  ) {
    const both = kpti ? 2 * cpus : cpus;
    this.#cpus = cpus;
    this.#halves = Array.from({ length: cpus }, (_, cpu) => (kpti ? [cpu, cpus + cpu] : [cpu]));
    this.tlbs = new CpuTlbs(store, memory, { ...options, cpus: both });
    memory.onWrite((pa) => this.tlbs.written(pa));
    this.#written = written;
  }

  outcomes(cpu: number, va: number): readonly number[] {
    const [user = cpu, kernel = cpu] = this.#halvesOf(cpu);
    const found = this.tlbs.outcomes(user, va);
    return kernel === user ? found : [...found, ...this.tlbs.outcomes(kernel, va)];
  }

  /** The CPU that one of the model's is. */
  protected cpuOf(half: number): number {
    return half % this.#cpus;
  }

  asid(cpu: number): number {
    return this.tlbs.loaded(cpu)?.asid ?? -1;
  }

  kernelAsid(cpu: number): number {
    const half = this.#halvesOf(cpu).at(-1) ?? cpu;
    return this.tlbs.loaded(half)?.asid ?? -1;
  }

  table(cpu: number): number {
    return this.tlbs.loaded(cpu)?.table ?? -1;
  }

  writeTtbr0(cpu: number, pgd: number, asid: number, userAsid: number): void {
    for (const half of this.#halvesOf(cpu)) this.tlbs.load(half, { table: pgd, asid: half === cpu ? userAsid : asid });
    this.#written(cpu, pgd);
  }

  writeAsid(cpu: number, asid: number, userAsid: number): void {
    for (const half of this.#halvesOf(cpu)) {
      const before = this.tlbs.loaded(half);
      if (before !== undefined) this.tlbs.load(half, { ...before, asid: half === cpu ? userAsid : asid });
    }
  }

  clearTtbr0(cpu: number): void {
    for (const half of this.#halvesOf(cpu)) this.tlbs.load(half, undefined);
    this.#written(cpu, undefined);
  }

  tlbi(cpu: number, instruction: Arm64Tlbi, broadcast: boolean): void {
    if (broadcast) this.tlbs.tlbi(cpu, instruction, true);
    else for (const half of this.#halvesOf(cpu)) this.tlbs.tlbi(half, instruction, false);
  }

  dsbNsh(cpu: number): void {
    for (const half of this.#halvesOf(cpu)) this.tlbs.dsb(half, false);
  }

  dsbIsh(cpu: number): void {
    for (const half of this.#halvesOf(cpu)) this.tlbs.dsb(half, true);
  }

  #halvesOf(cpu: number): readonly number[] {
    const halves = this.#halves[cpu];
    if (halves === undefined) throw new RangeError(`there are CPU0 to CPU${this.#cpus - 1}`);
    return halves;
  }
}
