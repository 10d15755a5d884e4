import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { showBits } from '../generations/bitmap.ts';
import { ASID_MAX, asid2ctxid, ctxid2asid, showContextId, type ContextId } from './context-id.ts';
import type { Arm64MmContext } from './mm.ts';

/** What the machine has. */
export interface Arm64Layout {
  /** Possible CPUs. */
  readonly cpus: number;
  /** ASIDs besides 0, which is `init_mm`'s, for processes (`num_available_asids - 1`): with KPTI, pairs of them. */
  readonly asids: number;
  /** How many of them processes have used that are gone: an ASID does not come back before the next roll-over. */
  readonly taken: number;
  /** `system_supports_cnp()`: CPUs share their TLBs. */
  readonly cnp: boolean;
  /**
   * `arm64_kernel_unmapped_at_el0()`, kernel page-table isolation: a process has a pair of ASIDs, an even one while the CPU
   * is in the kernel and the odd one after it while it is not. Default false.
   */
  readonly kpti?: boolean | undefined;
}

/** What happened, for witnesses. */
export type ContextNote =
  | 'roll-over'
  | 'second roll-over'
  | 'running ASID reserved'
  | 'reserved ASID reserved again'
  | 'pinned ASID kept'
  | 'fast path after a roll-over'
  | 'fast path met a roll-over'
  | 'reserved ASID found'
  | 'flush after a roll-over'
  | 'no ASID left to pin'
  | 'pinned and reserved ASIDs at one roll-over';

/** Where things are told that are notable. */
export interface ContextObserver {
  noted(note: ContextNote): void;
}

/** `set_kpti_asid_bits()`: every odd ASID. */
const ODD = 0xaaaa_aaaa;

/**
 * The variables of the ASID allocator (`arch/arm64/mm/context.c`, Linux 6.1), and its routines that run inside one step: all
 * but a few belong to the holder of `cpu_asid_lock`. Sets have a bit for each ASID or CPU.
 */
export class Arm64AsidMap {
  protected readonly machine: Machine;
  protected readonly layout: Arm64Layout;
  protected readonly observer: ContextObserver;
  /** Counts generations from 1. Only read-modify-write operations change it. */
  protected readonly generation: Cell;
  /** `active_asids` of each CPU; 0: it has not switched since the last roll-over. */
  protected readonly active: readonly Cell[];
  /** What follows belongs to the holder of the lock. */
  protected readonly reserved: readonly Cell[];
  protected readonly asidMap: Cell;
  protected readonly pinnedMap: Cell;
  protected readonly pinnedCount: Cell;
  protected readonly cursor: Cell;
  protected readonly flushPending: Cell;
  /** With KPTI 2: ASIDs are given out in pairs, by the even one of each (since Linux 5.5; an index for each pair before). */
  readonly #stride: number;

  constructor(machine: Machine, layout: Arm64Layout, observer: ContextObserver) {
    this.#stride = layout.kpti === true ? 2 : 1;
    if (layout.asids * this.#stride > ASID_MAX) throw new RangeError(`there are at most ${ASID_MAX} ASIDs`);
    this.machine = machine;
    this.layout = layout;
    this.observer = observer;
    const format = (_offset: number, id: number): string => showContextId(id);
    const each = (name: string, buffered: boolean): Cell[] =>
      Array.from({ length: layout.cpus }, (_, at) => new Cell(machine, `${name}[${at}]`, { buffered, format }));
    this.generation = new Cell(machine, 'asid_generation');
    this.active = each('active_asids', true);
    this.reserved = each('reserved_asids', false);
    const set = (name: string): Cell =>
      new Cell(machine, name, { format: (_offset, bits) => showBits(bits & ~this.userHalves()) });
    this.asidMap = set('asid_map');
    this.pinnedMap = set('pinned_asid_map');
    this.pinnedCount = new Cell(machine, 'nr_pinned_asids');
    this.cursor = new Cell(machine, 'cur_idx');
    this.flushPending = new Cell(machine, 'tlb_flush_pending', { format: (_offset, cpus) => showBits(cpus) });
    this.generation.value = 1;
    this.cursor.value = Math.max(1, layout.taken * this.#stride);
    for (const map of [this.asidMap, this.pinnedMap]) map.value = this.userHalves();
    for (let taken = 1; taken <= layout.taken; taken++) this.setBit(taken * this.#stride);
  }

  /** For checks: how many ASIDs count as pinned, and which have their bits in `pinned_asid_map`. */
  get pinnedAsids(): { readonly count: number; readonly bits: number } {
    return { count: this.pinnedCount.peek(0), bits: this.pinnedMap.peek(0) & ~this.userHalves() };
  }

  /** For checks: whether the CPU is to flush its TLB before it loads an ASID of the current generation. */
  flushIsPending(cpu: number): boolean {
    return (this.flushPending.peek(0) & (1 << cpu)) !== 0;
  }

  /** The ASID of a process while the CPU is not in the kernel (`USER_ASID_FLAG`). */
  userAsid(asid: number): number {
    return asid !== 0 && this.layout.kpti === true ? asid | 1 : asid;
  }

  /** `init_new_context()` inside a step, after fork has copied the parent's `mm_struct`. */
  init_new_context(mm: Arm64MmContext): void {
    mm.id.value = 0;
    mm.pinned.value = 0;
  }

  /** `destroy_context()` inside a step, when nobody has the table of a process loaded any more: it keeps its ASID even so. */
  destroy_context(_mm: Arm64MmContext): void {}

  /** ASIDs that are never given out: with KPTI each belongs to the even one before it. */
  protected userHalves(): number {
    return this.layout.kpti === true ? ODD : 0;
  }

  /** Whether the ASID is pinned, or may be: then `refcount_inc_not_zero()` has counted the device. */
  protected lookAtPins(mm: Arm64MmContext): 'pinned' | 'no' | 'new' {
    if (mm.pinned.value !== 0) {
      mm.pinned.value++;
      return 'pinned';
    }
    if (this.pinnedCount.value < this.maxPinned()) return 'new';
    this.observer.noted('no ASID left to pin');
    return 'no';
  }

  /** `max_pinned_asids`: after a roll-over one is free, even if every CPU has a reserved ASID that is not pinned. */
  protected maxPinned(): number {
    const { asids, cpus } = this.layout;
    return asids + 1 - cpus - 2;
  }

  protected pin(mm: Arm64MmContext, asid: number): void {
    this.pinnedCount.value++;
    this.pinnedMap.value |= 1 << asid;
    mm.pinned.value = 1;
  }

  protected unpin(asid: number): void {
    this.pinnedCount.value--;
    this.pinnedMap.value &= ~(1 << asid);
  }

  /** The ASID in the current generation, if the process may keep it; else 0. */
  protected keep(mm: Arm64MmContext, id: ContextId, renewed: ContextId): ContextId {
    if (this.check_update_reserved_asid(id, renewed)) {
      this.observer.noted('reserved ASID found');
      return renewed;
    }
    if (mm.pinned.value !== 0) return renewed;
    if (this.hasBit(ctxid2asid(id))) return 0;
    this.setBit(ctxid2asid(id));
    return renewed;
  }

  /** Looks for an ASID among the reserved ones. All copies of it are updated: more than one CPU may run the process. */
  protected check_update_reserved_asid(id: ContextId, renewed: ContextId): boolean {
    const found = this.reserved.filter((cell) => cell.value === id);
    for (const cell of found) cell.value = renewed;
    return found.length > 0;
  }

  /** At a roll-over; the map of pinned ASIDs has the odd ones with KPTI. */
  protected set_reserved_asid_bits(): void {
    this.asidMap.value = this.pinnedMap.value;
    if (this.pinnedCount.value !== 0) this.observer.noted('pinned ASID kept');
  }

  /**
   * What a CPU was running keeps its ASID. If it has not switched since the last roll-over, `active` is 0, and the reserved
   * ASID is the only trace of the process that it still runs.
   */
  protected reserve(cpu: number, active: ContextId): void {
    const cell = this.reserved[cpu] as Cell;
    const kept = active === 0 ? cell.value : active;
    if (kept !== 0) this.observer.noted(active === 0 ? 'reserved ASID reserved again' : 'running ASID reserved');
    // The map has nothing but pinned ASIDs yet when the first CPU is looked at.
    if (kept !== 0 && cpu === 0 && (this.asidMap.value & ~this.userHalves()) !== 0)
      this.observer.noted('pinned and reserved ASIDs at one roll-over');
    this.setBit(ctxid2asid(kept));
    cell.value = kept;
  }

  /** CPUs that have to flush their TLBs, after a roll-over. */
  protected cpusToFlush(): number {
    return (1 << this.layout.cpus) - 1;
  }

  protected testAndClearPending(cpu: number): boolean {
    const bit = 1 << cpu;
    const pending = (this.flushPending.value & bit) !== 0;
    this.flushPending.value &= ~bit;
    return pending;
  }

  /** The first free ASID from a number on, taken, in the current generation; 0 if there is none. */
  protected takeFree(from: number): ContextId {
    let asid = from;
    while (this.hasBit(asid)) asid++;
    if (asid > this.layout.asids * this.#stride) return 0;
    this.setBit(asid);
    this.cursor.value = asid;
    return asid2ctxid(asid, this.generation.value);
  }

  /** "We have more ASIDs than CPUs, so this will always succeed." */
  protected takeAfterFlush(): ContextId {
    const free = this.takeFree(1);
    if (free === 0)
      this.machine.fail({
        monitor: 'tags',
        rule: 'no-free-asid',
        message: 'After a roll-over no ASID is free: the one taken is behind the end of asid_map.',
      });
    return free;
  }

  protected hasBit(asid: number): boolean {
    return asid <= ASID_MAX && (this.asidMap.value & (1 << asid)) !== 0;
  }

  protected setBit(asid: number): void {
    this.asidMap.value |= 1 << asid;
  }

  protected activeOf(cpu: number): Cell {
    return this.active[cpu] as Cell;
  }
}
