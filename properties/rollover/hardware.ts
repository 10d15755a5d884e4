import type { Machine } from '../../engine/machine.ts';
import type { Arm64Cpu } from '../../impl/kernel/arm64/index.ts';
import type { PhysicalMemory } from '../../impl/platform/index.ts';
import { CpuTlbs } from '../../model/architecture/arm/cpu/cpu-tlbs.ts';
import type { RolloverConfiguration } from './configuration.ts';
import type { Hardware } from './contract.ts';
import { pageAddress } from './pages.ts';

/** Entries, and starts of walks, that a TLB can ever see: each process under each ASID with each of its pages. */
const CAPACITY = 256;

/** The CPUs: what the kernel tells them goes to the saturated TLBs. */
export class RolloverHardware implements Arm64Cpu, Hardware {
  readonly #tlbs: CpuTlbs;
  readonly #written: (cpu: number, pgd: number | undefined) => void;

  /** @param written called after a CPU has written TTBR0_EL1. */
  constructor(
    machine: Machine,
    memory: PhysicalMemory,
    { cpus, pages, cnp }: RolloverConfiguration,
    written: (cpu: number, pgd: number | undefined) => void,
  ) {
    const addresses = Array.from({ length: pages }, (_, page) => pageAddress(page));
    this.#tlbs = new CpuTlbs(machine.store, memory, { cpus, addresses, common: cnp, capacity: CAPACITY });
    memory.onWrite((pa) => this.#tlbs.written(pa));
    this.#written = written;
  }

  outcomes(cpu: number, va: number): readonly number[] {
    return this.#tlbs.outcomes(cpu, va);
  }

  asid(cpu: number): number {
    return this.#tlbs.loaded(cpu)?.asid ?? -1;
  }

  writeTtbr0(cpu: number, pgd: number, asid: number): void {
    this.#tlbs.load(cpu, { table: pgd, asid });
    this.#written(cpu, pgd);
  }

  clearTtbr0(cpu: number): void {
    this.#tlbs.load(cpu, undefined);
    this.#written(cpu, undefined);
  }

  tlbiVale1is(cpu: number, va: number, asid: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VALE1', asid, va }, true);
  }

  tlbiVale1(cpu: number, va: number, asid: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VALE1', asid, va }, false);
  }

  tlbiVmalle1(cpu: number): void {
    this.#tlbs.tlbi(cpu, { kind: 'VMALLE1' }, false);
  }

  dsbNsh(cpu: number): void {
    this.#tlbs.dsb(cpu, false);
  }

  dsbIsh(cpu: number): void {
    this.#tlbs.dsb(cpu, true);
  }
}
