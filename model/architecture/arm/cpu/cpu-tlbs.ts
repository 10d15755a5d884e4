import type { Store } from '../../../../engine/store.ts';
import type { PhysicalMemory } from '../memory.ts';
import { indexUniverse, type InputAddress } from '../universe.ts';
import { CpuTlb, type CpuContext } from './cpu-tlb.ts';
import { invalidationOf, type TlbMaintenance } from './maintenance.ts';

/** CPUs and what of them matters. */
export interface CpuTlbOptions {
  /** Number of CPUs, all in one inner-shareable domain. */
  readonly cpus: number;
  /** Input addresses, multiples of 4 KiB below 64 KiB: nothing is kept for others. */
  readonly addresses: readonly number[];
  /** The CPUs share their entries: TTBR0_EL1.CnP is set by all of them. */
  readonly common: boolean;
  /** Most entries of a TLB that can ever come up. */
  readonly capacity: number;
}

/** CPUs that can be told apart by the marks of their instructions. */
const CPUS_MAX = 8;

/**
 * The TLBs of the CPUs, saturated (`CpuTlb`). Software says which context each CPU loads, what it invalidates and when it
 * waits; the model says where each access may end up. Between a TLBI and the DSB that completes it, both outcomes.
 */
export class CpuTlbs {
  readonly #store: Store;
  readonly #addresses: readonly InputAddress[];
  readonly #tlbs: readonly CpuTlb[];
  /** For each CPU: address of the table that TTBR0 has, and the ASID plus 1, 0 if TTBR0 is the reserved table. */
  readonly #tables: number;
  readonly #asids: number;

  constructor(store: Store, memory: PhysicalMemory, { cpus, addresses, common, capacity }: CpuTlbOptions) {
    if (cpus > CPUS_MAX) throw new RangeError(`there are at most ${CPUS_MAX} CPUs`);
    this.#store = store;
    const slots = addresses.map((va) => ({ streamId: 0, substream: -1, va }));
    this.#addresses = indexUniverse({ slots }).addresses;
    const shared = common ? new CpuTlb(store, memory, this.#addresses, capacity) : undefined;
    this.#tlbs = Array.from({ length: cpus }, () => shared ?? new CpuTlb(store, memory, this.#addresses, capacity));
    this.#tables = store.reserve(cpus, 'TTBR0_EL1', (_cpu, table) => `table 0x${(table >>> 0).toString(16)}`);
    this.#asids = store.reserve(cpus, 'ASID', (_cpu, asid) => (asid === 0 ? 'none' : String(asid - 1)));
  }

  /** What a CPU has loaded; undefined: the reserved table, which maps nothing. */
  loaded(cpu: number): CpuContext | undefined {
    const asid = this.#store.get(this.#asids + cpu);
    return asid === 0 ? undefined : { table: this.#store.get(this.#tables + cpu) >>> 0, asid: asid - 1 };
  }

  /** A CPU writes TTBR0_EL1 and the ASID, with the context synchronisation that makes it take effect. */
  load(cpu: number, context: CpuContext | undefined): void {
    const before = this.loaded(cpu);
    const tlb = this.#tlb(cpu);
    if (context !== undefined) tlb.load(context);
    if (before !== undefined) tlb.unload(before);
    this.#store.set(this.#tables + cpu, context?.table ?? 0);
    this.#store.set(this.#asids + cpu, context === undefined ? 0 : context.asid + 1);
  }

  /** A word of memory has changed. */
  written(pa: number): void {
    for (const tlb of this.#distinct()) tlb.written(pa);
  }

  /**
   * A CPU executes a TLBI.
   *
   * @param broadcast the inner-shareable form; else only the CPU's own TLB is concerned, and those that share it.
   */
  tlbi(cpu: number, maintenance: TlbMaintenance, broadcast: boolean): void {
    const command = invalidationOf(maintenance);
    if (!broadcast) this.#tlb(cpu).invalidate(command, localMark(cpu));
    else for (const tlb of this.#distinct()) tlb.invalidate(command, broadcastMark(cpu));
  }

  /**
   * A CPU executes a DSB: its TLBIs before have completed on every CPU that they concern (Arm ARM D8.17.8).
   *
   * @param shareable DSB ISH; DSB NSH completes local TLBIs only.
   */
  dsb(cpu: number, shareable: boolean): void {
    const marks = localMark(cpu) | (shareable ? broadcastMark(cpu) : 0);
    for (const tlb of this.#distinct()) tlb.complete(marks);
  }

  /** Where an access of a CPU may end up: physical addresses of pages. (A fault is always possible besides.) */
  outcomes(cpu: number, va: number): readonly number[] {
    const context = this.loaded(cpu);
    const address = this.#addresses.find((candidate) => candidate.va === va);
    if (address === undefined) throw new RangeError(`address ${va} is not among those of the model`);
    if (context === undefined) return [];
    const hits = this.#tlb(cpu).hits(context.asid, address.index);
    return [...new Set(hits.map(({ pa, page }) => pa + va - page * 4096))];
  }

  #tlb(cpu: number): CpuTlb {
    const tlb = this.#tlbs[cpu];
    if (tlb === undefined) throw new RangeError(`there is no CPU${cpu}`);
    return tlb;
  }

  #distinct(): readonly CpuTlb[] {
    return this.#tlbs[0] === this.#tlbs[1] ? this.#tlbs.slice(0, 1) : this.#tlbs;
  }
}

function localMark(cpu: number): number {
  return 1 << (2 * cpu);
}

function broadcastMark(cpu: number): number {
  return 2 << (2 * cpu);
}
