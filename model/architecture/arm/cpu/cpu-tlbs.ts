import type { Store } from '../../../../engine/store.ts';
import { DvmBus, type DvmReceiver } from '../dvm/bus.ts';
import type { PhysicalMemory } from '../memory.ts';
import type { HeldDescription } from '../outcomes/held-queries.ts';
import { indexUniverse, type InputAddress } from '../universe.ts';
import { CpuTlb, type CpuContext } from './cpu-tlb.ts';
import type { GuestContext } from './guest-tlb.ts';
import { invalidationOf, type TlbMaintenance } from './maintenance.ts';
import { asidHeld, tableHeld, vmidHeld } from './queries.ts';
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
  /** Stage 2, and the intermediate physical addresses of guests that matter; by default there are no guests. */
  readonly stageTwo?: Regime & { readonly ipas: readonly number[] };
  /** Who else hears broadcasts. */
  readonly receivers?: readonly DvmReceiver[];
}

/**
 * The TLBs of the CPUs, saturated (`CpuTlb`). Software says which context each CPU loads, what it invalidates and when it
 * waits; the model says where each access may end up. Between a TLBI and the DSB that completes it, both outcomes.
 */
export class CpuTlbs {
  /** What carries TLBIs and their completion. */
  readonly bus: DvmBus;
  readonly #store: Store;
  readonly #addresses: readonly InputAddress[];
  readonly #ipas: readonly InputAddress[];
  readonly #tlbs: readonly CpuTlb[];
  /** The TLB of each CPU. */
  readonly #tlbOf: readonly CpuTlb[];
  /** For each CPU: address of the table that TTBR0 has (in two lanes), and the ASID plus 1, 0 for the reserved table. */
  readonly #tables: number;
  readonly #asids: number;
  /** The same of VTTBR_EL2 and VMIDs; -1 where there are no guests. */
  readonly #guestTables: number;
  readonly #vmids: number;

  constructor(store: Store, memory: PhysicalMemory, options: CpuTlbOptions) {
    const { cpus, addresses, common, capacity, regime = SMALLEST, stageTwo, receivers = [] } = options;
    this.#store = store;
    this.#addresses = indexed(addresses);
    this.#ipas = indexed(stageTwo?.ipas ?? []);
    const start = walkStart(1, regime);
    const guest = stageTwo === undefined ? undefined : { start: walkStart(2, stageTwo), ipas: this.#ipas };
    const outstanding = (): DvmBus['outstanding'] => this.bus.outstanding;
    const parts = { store, memory, start, addresses: this.#addresses, guest, capacity, outstanding };
    const all = Array.from({ length: cpus }, (_, cpu) => cpu);
    this.#tlbs = (common ? [all] : all.map((cpu) => [cpu])).map((of) => new CpuTlb({ ...parts, cpus: of }));
    this.#tlbOf = all.map((cpu) => this.#tlbs.find((tlb) => tlb.cpus.includes(cpu)) as CpuTlb);
    this.#tables = store.reserve(cpus, 'TTBR0_EL1', (_cpu, table) => `table 0x${(table >>> 0).toString(16)}`);
    this.#asids = store.reserve(cpus, 'ASID', (_cpu, asid) => (asid === 0 ? 'none' : String(asid - 1)));
    const guests = guest === undefined ? 0 : cpus;
    this.#guestTables = store.reserve(guests, 'VTTBR_EL2', (_cpu, table) => `table 0x${(table >>> 0).toString(16)}`);
    this.#vmids = store.reserve(guests, 'VMID', (_cpu, vmid) => (vmid === 0 ? 'none' : String(vmid - 1)));
    this.bus = new DvmBus(store, cpus, this.#tlbs, receivers);
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

  /** The VM that a CPU has loaded; undefined: none, so that nothing is walked for any. */
  loadedGuest(cpu: number): GuestContext | undefined {
    const vmid = this.#ipas.length === 0 ? 0 : this.#store.get(this.#vmids + cpu);
    return vmid === 0 ? undefined : { table: this.#store.get(this.#guestTables + cpu) >>> 0, vmid: vmid - 1 };
  }

  /**
   * A CPU writes VTTBR_EL2, and runs with stage 2 on from then on (or may do so): a guest whose stage 1 is off.
   *
   * @throws RangeError if there is no stage 2.
   */
  loadGuest(cpu: number, context: GuestContext | undefined): void {
    const before = this.loadedGuest(cpu);
    const { guest } = this.#tlb(cpu);
    if (guest === undefined) throw new RangeError('these CPUs have no guests: give `stageTwo`');
    if (context !== undefined) guest.load(context);
    if (before !== undefined) guest.unload(before);
    this.#store.set(this.#guestTables + cpu, context?.table ?? 0);
    this.#store.set(this.#vmids + cpu, context === undefined ? 0 : context.vmid + 1);
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
    const context = this.loaded(cpu);
    const address = find(this.#addresses, va);
    if (context === undefined) return [];
    const hits = this.#tlb(cpu).hits(context.asid, address.index);
    const allowed = permissions === 0 ? hits : hits.filter((hit) => (hit.permissions & permissions) === permissions);
    return [...new Set(allowed.map(({ pa, page }) => pa + va - page * 4096))];
  }

  /** Where an access of the guest that a CPU has loaded may end up. */
  guestOutcomes(cpu: number, ipa: number, permissions = 0): readonly number[] {
    const context = this.loadedGuest(cpu);
    const address = find(this.#ipas, ipa);
    const hits = context === undefined ? [] : (this.#tlb(cpu).guest?.hits(context.vmid, address.index) ?? []);
    const allowed = permissions === 0 ? hits : hits.filter((hit) => (hit.permissions & permissions) === permissions);
    return [...new Set(allowed.map(({ pa }) => pa))];
  }

  /**
   * A table that a walk may still go on from, which overlaps a range of memory: before it is gone, the memory must not be
   * used for anything else.
   */
  tableHeld(pa: number, size: number): HeldDescription | undefined {
    return tableHeld(this.#tlbs, pa, size);
  }

  /** What is there under an ASID of the host: a CPU that has it loaded, or an entry. */
  asidInUse(asid: number): HeldDescription | undefined {
    return asidHeld(this.#tlbs, asid);
  }

  /** What is there under a VMID, of either stage. */
  vmidInUse(vmid: number): HeldDescription | undefined {
    return vmidHeld(this.#tlbs, vmid);
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

function find(addresses: readonly InputAddress[], va: number): InputAddress {
  const address = addresses.find((candidate) => candidate.va === va);
  if (address === undefined) throw new RangeError(`address ${va} is not among those of the model`);
  return address;
}
