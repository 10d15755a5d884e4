import type { Store } from '../../../../engine/store.ts';
import { DvmBus, type DvmReceiver } from '../dvm/bus.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { HeldDescription } from '../outcomes/held-queries.ts';
import type { Leaf } from '../translation/walk-node.ts';
import { indexUniverse, PAGE_BYTES, type InputAddress } from '../universe.ts';
import { BaseRegister, type TableBase } from './base-register.ts';
import { CpuTlb, type CpuContext, type CpuTlbParts } from './cpu-tlb.ts';
import type { GuestContext, GuestEntry } from './guest-tlb.ts';
import { invalidationOf, type TlbMaintenance } from './maintenance.ts';
import { asidHeld, tableHeld, vmidHeld, type Counts } from './queries.ts';
import { SMALLEST, walkStart, type Regime } from './regime.ts';

/** CPUs and what of them matters. */
export interface CpuTlbOptions {
  /** Number of CPUs, all in one inner-shareable domain. */
  readonly cpus: number;
  /** Input addresses of processes, multiples of 4 KiB: nothing is kept for others. */
  readonly addresses: readonly number[];
  /** The CPUs share their entries: TTBR0_EL1.CnP is set by all of them, and VTTBR_EL2.CnP. */
  readonly common: boolean;
  /** Most entries of a TLB that can ever come up, of both stages together. */
  readonly capacity: number;
  /** Stage 1; by default one level of 16 pages. */
  readonly regime?: Regime;
  /** Stage 2; by default there are no guests. */
  readonly stageTwo?: StageTwoOptions;
  /** Who else hears broadcasts. */
  readonly receivers?: readonly DvmReceiver[];
}

/** Guests and what of them matters. */
export interface StageTwoOptions extends Regime {
  /** Intermediate physical addresses: nothing is kept for others. With processes, those of their tables are among them. */
  readonly ipas: readonly number[];
  /** Stage 1 of guests, and input addresses of their processes; by default it is always off. */
  readonly processes?: Regime & { readonly addresses: readonly number[] };
}

/**
 * The TLBs of the CPUs, saturated (`CpuTlb`). Software says which context each CPU loads, what it invalidates and when it
 * waits; the model says where each access may end up. Between a TLBI and the DSB that completes it, both outcomes.
 */
export class CpuTlbs {
  /** What carries TLBIs and their completion. */
  readonly bus: DvmBus;
  readonly #addresses: readonly InputAddress[];
  readonly #ipas: readonly InputAddress[];
  readonly #processAddresses: readonly InputAddress[];
  readonly #tlbs: readonly CpuTlb[];
  /** The TLB of each CPU. */
  readonly #tlbOf: readonly CpuTlb[];
  readonly #ttbr0: BaseRegister;
  readonly #ttbr1: BaseRegister;
  readonly #vttbr: BaseRegister;
  readonly #guestTtbr0: BaseRegister;

  constructor(store: Store, memory: PhysicalMemory, options: CpuTlbOptions) {
    const { cpus, addresses, common, capacity, regime = SMALLEST, stageTwo, receivers = [] } = options;
    this.#addresses = indexed(addresses);
    this.#ipas = indexed(stageTwo?.ipas ?? []);
    this.#processAddresses = indexed(stageTwo?.processes?.addresses ?? []);
    const starts = [walkStart(1, regime, 0), walkStart(1, regime, 1)] as const;
    const guest = stageTwo && this.#guestParts(stageTwo);
    const outstanding = (): DvmBus['outstanding'] => this.bus.outstanding;
    const parts = { store, memory, starts, addresses: this.#addresses, guest, capacity, outstanding };
    const all = Array.from({ length: cpus }, (_, cpu) => cpu);
    this.#tlbs = (common ? [all] : all.map((cpu) => [cpu])).map((of) => new CpuTlb({ ...parts, cpus: of }));
    this.#tlbOf = all.map((cpu) => this.#tlbs.find((tlb) => tlb.cpus.includes(cpu)) as CpuTlb);
    this.#ttbr0 = new BaseRegister(store, cpus, ['TTBR0_EL1', 'ASID']);
    this.bus = new DvmBus(store, cpus, this.#tlbs, receivers);
    // What is never loaded needs no room.
    const upper = this.#addresses.some(({ region }) => region === 1);
    this.#ttbr1 = new BaseRegister(store, upper ? cpus : 0, ['TTBR1_EL1', 'ASID of TTBR1_EL1']);
    this.#vttbr = new BaseRegister(store, stageTwo ? cpus : 0, ['VTTBR_EL2', 'VMID']);
    const processes = stageTwo?.processes ? cpus : 0;
    this.#guestTtbr0 = new BaseRegister(store, processes, ['TTBR0_EL1 of a guest', 'ASID of a guest']);
  }

  /** What a CPU has loaded; undefined: the reserved table, which maps nothing. */
  loaded(cpu: number): CpuContext | undefined {
    return contextOf(this.#ttbr0.get(cpu));
  }

  /** A CPU writes TTBR0_EL1 and the ASID, with the context synchronisation that makes it take effect. */
  load(cpu: number, context: CpuContext | undefined): void {
    this.#load(cpu, 0, context);
  }

  /** A CPU writes TTBR1_EL1, for the upper half of the address space; only where some address is there. */
  loadUpper(cpu: number, context: CpuContext | undefined): void {
    this.#load(cpu, 1, context);
  }

  /** The VM that a CPU has loaded; undefined: none, so that nothing is walked for any. */
  loadedGuest(cpu: number): GuestContext | undefined {
    const base = this.#ipas.length === 0 ? undefined : this.#vttbr.get(cpu);
    if (base === undefined) return undefined;
    const { table, tag: vmid } = base;
    const process = this.#processAddresses.length === 0 ? undefined : contextOf(this.#guestTtbr0.get(cpu));
    return process === undefined ? { table, vmid } : { table, vmid, process };
  }

  /**
   * A CPU writes VTTBR_EL2 and enters a guest, or may do so whenever it likes; or the guest changes its own TTBR0_EL1.
   *
   * @throws RangeError if there is no stage 2, or no stage 1 for a process.
   */
  loadGuest(cpu: number, context: GuestContext | undefined): void {
    const before = this.loadedGuest(cpu);
    const { guest } = this.#tlb(cpu);
    if (guest === undefined) throw new RangeError('these CPUs have no guests: give `stageTwo`');
    // What is loaded now and what is loaded next are never mixed.
    if (before !== undefined) guest.unload(before);
    if (context !== undefined) guest.load(context);
    this.#vttbr.set(cpu, context && { table: context.table, tag: context.vmid });
    if (this.#processAddresses.length > 0) this.#guestTtbr0.set(cpu, baseOf(context?.process));
  }

  /** A word of memory has changed. */
  written(pa: number): void {
    for (const tlb of this.#tlbs) tlb.written(pa);
  }

  /**
   * A CPU executes a TLBI.
   *
   * @param broadcast the inner-shareable form; else only the CPU's own TLB is concerned, and those that share it.
   */
  tlbi(cpu: number, maintenance: TlbMaintenance, broadcast: boolean): void {
    this.bus.invalidate(cpu, invalidationOf(maintenance), broadcast);
  }

  /**
   * A CPU executes a DSB: its TLBIs before have completed on every CPU that they concern (Arm ARM D8.17.8).
   *
   * @param shareable DSB ISH; DSB NSH completes local TLBIs only.
   */
  dsb(cpu: number, shareable: boolean): void {
    this.bus.complete(cpu, shareable);
  }

  /**
   * Where an access of a CPU may end up: physical addresses of pages. (A fault is always possible besides.)
   *
   * @param permissions bits of `PERMISSION` that the access needs; 0 to ask for translations of any kind.
   */
  outcomes(cpu: number, va: number, permissions = 0): readonly number[] {
    const address = find(this.#addresses, va);
    const context = address.region === 0 ? this.loaded(cpu) : contextOf(this.#ttbr1.get(cpu));
    if (context === undefined) return [];
    return pagesOf(this.#tlb(cpu).hits(context.asid, address.index), va, permissions);
  }

  /**
   * Where an access of the guest that a CPU has loaded may end up.
   *
   * @param address input address: of its process, or an IPA if stage 1 is off.
   */
  guestOutcomes(cpu: number, address: number, permissions = 0): readonly number[] {
    const context = this.loadedGuest(cpu);
    const { guest } = this.#tlb(cpu);
    if (context === undefined || guest === undefined) return [];
    const { vmid, process } = context;
    const { index } = find(process === undefined ? this.#ipas : this.#processAddresses, address);
    const hits =
      process === undefined ? guest.hits(vmid, index) : (guest.processes?.hits(vmid, process.asid, index) ?? []);
    return pagesOf(hits, address, permissions);
  }

  /**
   * A table that a walk may still go on from, which overlaps a range of memory: before it is gone, the memory must not be
   * used for anything else.
   *
   * @param counts what of the CPUs' tables is asked for; default: all.
   */
  tableHeld(pa: number, size: number, counts?: Counts): HeldDescription | undefined {
    return tableHeld(this.#tlbs, pa, size, counts);
  }

  /** What is there under an ASID of the host: a CPU that has it loaded, or an entry. */
  asidInUse(asid: number): HeldDescription | undefined {
    return asidHeld(this.#tlbs, asid);
  }

  /** What is there under a VMID, of either stage. */
  vmidInUse(vmid: number): HeldDescription | undefined {
    return vmidHeld(this.#tlbs, vmid);
  }

  #load(cpu: number, region: 0 | 1, context: CpuContext | undefined): void {
    const register = region === 0 ? this.#ttbr0 : this.#ttbr1;
    const before = contextOf(register.get(cpu));
    const tlb = this.#tlb(cpu);
    if (context !== undefined) tlb.load(context, region);
    if (before !== undefined) tlb.unload(before, region);
    register.set(cpu, baseOf(context));
  }

  #guestParts({ processes, ...regime }: StageTwoOptions): CpuTlbParts['guest'] {
    const stageOne = processes && { start: walkStart(1, processes), addresses: this.#processAddresses };
    return { start: walkStart(2, regime), ipas: this.#ipas, processes: stageOne };
  }

  #tlb(cpu: number): CpuTlb {
    const tlb = this.#tlbOf[cpu];
    if (tlb === undefined) throw new RangeError(`there is no CPU${cpu}`);
    return tlb;
  }
}

function indexed(addresses: readonly number[]): readonly InputAddress[] {
  return indexUniverse({ slots: addresses.map((va) => ({ streamId: 0, substream: -1, va })) }).addresses;
}

function contextOf(base: TableBase | undefined): CpuContext | undefined {
  return base && { table: base.table, asid: base.tag };
}

function baseOf(context: CpuContext | undefined): TableBase | undefined {
  return context && { table: context.table, tag: context.asid };
}

/** Where entries lead for an address, those of them that allow an access: each page once. */
function pagesOf(hits: readonly (Leaf | GuestEntry)[], address: number, permissions: number): readonly number[] {
  const pages: number[] = [];
  for (const hit of hits) {
    const pa = hit.pa + address - hit.page * PAGE_BYTES;
    if ((hit.permissions & permissions) === permissions && !pages.includes(pa)) pages.push(pa);
  }
  return pages;
}

function find(addresses: readonly InputAddress[], va: number): InputAddress {
  for (const address of addresses) if (address.va === va) return address;
  throw new RangeError(`address ${va} is not among those of the model`);
}
