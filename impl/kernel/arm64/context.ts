import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { ASID_MAX, asid2ctxid, ctxid2asid, generationOf, showContextId, type ContextId } from './context-id.ts';
import type { Arm64Mm } from './mm.ts';
import type { Arm64Cpu } from './port.ts';

/** What the machine has. */
export interface Arm64Layout {
  /** Possible CPUs. */
  readonly cpus: number;
  /** ASIDs besides 0, which is `init_mm`'s: `NUM_USER_ASIDS - 1`. */
  readonly asids: number;
  /** How many of them processes have used that are gone: an ASID does not come back before the next roll-over. */
  readonly taken: number;
  /** `system_supports_cnp()`: CPUs share their TLBs. */
  readonly cnp: boolean;
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
  | 'no ASID left to pin';

/** Where things that went wrong inside the allocator are told, and those that are notable. */
export interface ContextObserver {
  noted(note: ContextNote): void;
}

/**
 * The ASID allocator (`arch/arm64/mm/context.c`, Linux 6.1). A context switch takes the fast path if the ASID of the process
 * belongs to the current generation, without a lock; else it takes `cpu_asid_lock`. When no ASID is left, a new generation
 * begins: what runs keeps its ASID (reserved), what devices use does too (pinned), and every CPU flushes its TLB at its next
 * switch. Each access that others may race with is a step of its own; what only the holder of the lock touches is not.
 *
 * A hazard is a subclass that replaces one routine.
 */
export class Arm64Context {
  protected readonly machine: Machine;
  protected readonly cpu: Arm64Cpu;
  protected readonly layout: Arm64Layout;
  protected readonly observer: ContextObserver;
  protected readonly lock: SpinLock;
  /** Counts generations from 1. Only read-modify-write operations change it. */
  protected readonly generation: Cell;
  /** `active_asids` of each CPU; 0: it has not switched since the last roll-over. */
  protected readonly active: readonly Cell[];
  /** What follows belongs to the holder of the lock. Sets have a bit for each ASID or CPU. */
  protected readonly reserved: readonly Cell[];
  protected readonly asidMap: Cell;
  protected readonly pinnedMap: Cell;
  protected readonly pinnedCount: Cell;
  protected readonly cursor: Cell;
  protected readonly flushPending: Cell;

  constructor(machine: Machine, cpu: Arm64Cpu, layout: Arm64Layout, observer: ContextObserver) {
    if (layout.asids > ASID_MAX) throw new RangeError(`there are at most ${ASID_MAX} ASIDs`);
    this.machine = machine;
    this.cpu = cpu;
    this.layout = layout;
    this.observer = observer;
    const format = (_offset: number, id: number): string => showContextId(id);
    const each = (name: string, buffered: boolean): Cell[] =>
      Array.from({ length: layout.cpus }, (_, at) => new Cell(machine, `${name}[${at}]`, { buffered, format }));
    this.lock = new SpinLock(machine, 'cpu_asid_lock');
    this.generation = new Cell(machine, 'asid_generation');
    this.active = each('active_asids', true);
    this.reserved = each('reserved_asids', false);
    this.asidMap = new Cell(machine, 'asid_map');
    this.pinnedMap = new Cell(machine, 'pinned_asid_map');
    this.pinnedCount = new Cell(machine, 'nr_pinned_asids');
    this.cursor = new Cell(machine, 'cur_idx');
    this.flushPending = new Cell(machine, 'tlb_flush_pending');
    this.generation.value = 1;
    this.cursor.value = Math.max(1, layout.taken);
    for (let asid = 1; asid <= layout.taken; asid++) this.setBit(asid);
  }

  /** `check_and_switch_context()`, for a CPU in the scheduler. */
  *check_and_switch_context(cpu: number, mm: Arm64Mm): Task {
    if (this.layout.cnp) yield* this.cpu_set_reserved_ttbr0(cpu);
    const id = yield* mm.id.load();
    if (!(yield* this.fastPath(cpu, id))) yield* this.slowPath(cpu, mm, id);
    yield* this.cpu_switch_mm(cpu, mm);
  }

  /** `cpu_set_reserved_ttbr0()`: with common TLBs nothing may be walked under an ASID that is about to be another's. */
  *cpu_set_reserved_ttbr0(cpu: number): Task {
    yield* step('TTBR0 := reserved', () => {
      this.cpu.clearTtbr0(cpu);
      return undefined;
    });
  }

  /**
   * `arm64_mm_context_get()`: pins the ASID for a device, and returns it; 0 if there are too many. It stays that of the
   * process until the last `arm64_mm_context_put`.
   */
  *arm64_mm_context_get(mm: Arm64Mm): Task<number> {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    const may = yield* step('pinned?', () => this.lookAtPins(mm));
    const pinned = may === 'no' ? 0 : may === 'pinned' ? id : yield* this.pinNew(mm, id);
    yield* this.lock.unlock();
    return ctxid2asid(pinned);
  }

  /** `arm64_mm_context_put()`. */
  *arm64_mm_context_put(mm: Arm64Mm): Task {
    const asid = yield* mm.loadAsid();
    yield* this.lock.lock();
    yield* step(`${mm.name}.context.pinned--`, () => {
      mm.pinned.value--;
      if (mm.pinned.value === 0) this.unpin(asid);
      return undefined;
    });
    yield* this.lock.unlock();
  }

  /** `init_new_context()` inside a step, after fork has copied the parent's `mm_struct`. */
  init_new_context(mm: Arm64Mm): void {
    mm.id.value = 0;
    mm.pinned.value = 0;
  }

  /** Whether the ASID is pinned, or may be: then `refcount_inc_not_zero()` has counted the device. */
  protected lookAtPins(mm: Arm64Mm): 'pinned' | 'no' | 'new' {
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

  /** With the lock held. */
  protected *pinNew(mm: Arm64Mm, id: ContextId): Task<ContextId> {
    const current = (yield* this.asid_gen_match(id)) ? id : yield* this.renew(mm, id);
    yield* step(`pinned_asid_map |= ${ctxid2asid(current)}`, () => {
      this.pinnedCount.value++;
      this.pinnedMap.value |= 1 << ctxid2asid(current);
      mm.pinned.value = 1;
      return undefined;
    });
    return current;
  }

  protected unpin(asid: number): void {
    this.pinnedCount.value--;
    this.pinnedMap.value &= ~(1 << asid);
  }

  /**
   * For checks, while nobody holds the lock: by which id the next roll-over would keep what a CPU runs; undefined while
   * somebody holds it.
   */
  traceOf(cpu: number): ContextId | undefined {
    if (!this.lock.ready()) return undefined;
    const active = this.activeOf(cpu).peek(0);
    return active === 0 ? (this.reserved[cpu] as Cell).peek(0) : active;
  }

  /** Whether the ASID could be made active without the lock. `id` was read before. */
  protected *fastPath(cpu: number, id: ContextId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (active === 0 || !(yield* this.asid_gen_match(id))) return false;
    const before = yield* this.exchangeActive(cpu, active, id);
    return this.fastPathHolds(active, before);
  }

  /**
   * What the cmpxchg found says who came first: a roll-over, which has taken the old value and left 0, or this switch, whose
   * value the roll-over will then reserve.
   */
  protected fastPathHolds(_active: ContextId, before: ContextId): boolean {
    return before !== 0;
  }

  protected *slowPath(cpu: number, mm: Arm64Mm, _seen: ContextId): Task {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    const current = (yield* this.asid_gen_match(id)) ? id : yield* this.renew(mm, id);
    yield* this.flushIfPending(cpu);
    yield* this.storeActive(cpu, current);
    yield* this.lock.unlock();
  }

  /** `atomic64_set(this_cpu_ptr(&active_asids), asid)`. */
  protected storeActive(cpu: number, id: ContextId): Step<undefined> {
    const cell = this.activeOf(cpu);
    return step(`${cell.name} := ${showContextId(id)}`, () => {
      cell.value = id;
      return undefined;
    });
  }

  protected asid_gen_match(id: ContextId): Step<boolean> {
    return step(`generation of ${showContextId(id)}?`, () => generationOf(id) === this.generation.value);
  }

  /** `atomic64_cmpxchg_relaxed()` of `active_asids`; returns the value before. */
  protected exchangeActive(cpu: number, expected: ContextId, id: ContextId): Step<ContextId> {
    const cell = this.activeOf(cpu);
    const run = (): number => {
      const before = cell.value;
      if (before === expected) cell.exchange(id);
      if (before === 0) this.observer.noted('fast path met a roll-over');
      else if (this.generation.value > 1) this.observer.noted('fast path after a roll-over');
      return before;
    };
    return step(`cmpxchg ${cell.name} ${showContextId(expected)} → ${showContextId(id)}`, run, showContextId);
  }

  /** Gives a process an ASID of the current generation. With the lock held. */
  protected *renew(mm: Arm64Mm, id: ContextId): Task<ContextId> {
    const renewed = yield* this.new_context(mm, id);
    yield* mm.storeId(renewed);
    return renewed;
  }

  protected *new_context(mm: Arm64Mm, id: ContextId): Task<ContextId> {
    const renewed = (): ContextId => asid2ctxid(ctxid2asid(id), this.generation.value);
    const keep = (): ContextId => (id === 0 ? 0 : this.keep(mm, id, renewed()));
    const kept = yield* step(`keep ${showContextId(id)}?`, keep, showContextId);
    if (kept !== 0) return kept;
    const free = yield* step('find_next_zero_bit asid_map', () => this.takeFree(this.cursor.value), showContextId);
    if (free !== 0) return free;
    yield* step('asid_generation++', () => {
      this.generation.exchange(this.generation.value + 1);
      this.observer.noted(this.generation.value > 2 ? 'second roll-over' : 'roll-over');
      return undefined;
    });
    yield* this.flush_context();
    return yield* step('find_next_zero_bit asid_map', () => this.takeAfterFlush(), showContextId);
  }

  /** The ASID in the current generation, if the process may keep it; else 0. */
  protected keep(mm: Arm64Mm, id: ContextId, renewed: ContextId): ContextId {
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

  /** The lists of the new generation. With the lock held. */
  protected *flush_context(): Task {
    yield* step('asid_map := pinned_asid_map', () => {
      this.set_reserved_asid_bits();
      if (this.pinnedMap.value !== 0) this.observer.noted('pinned ASID kept');
      return undefined;
    });
    for (const [cpu, cell] of this.active.entries())
      yield* step(
        `xchg ${cell.name} 0`,
        () => {
          const active = cell.value;
          cell.exchange(0);
          this.reserve(cpu, active);
          return active;
        },
        showContextId,
      );
    yield* step('cpumask_setall tlb_flush_pending', () => {
      this.flushPending.value = this.cpusToFlush();
      return undefined;
    });
  }

  protected set_reserved_asid_bits(): void {
    this.asidMap.value = this.pinnedMap.value;
  }

  /**
   * What a CPU was running keeps its ASID. If it has not switched since the last roll-over, `active` is 0, and the reserved
   * ASID is the only trace of the process that it still runs.
   */
  protected reserve(cpu: number, active: ContextId): void {
    const cell = this.reserved[cpu] as Cell;
    const kept = active === 0 ? cell.value : active;
    if (kept !== 0) this.observer.noted(active === 0 ? 'reserved ASID reserved again' : 'running ASID reserved');
    this.setBit(ctxid2asid(kept));
    cell.value = kept;
  }

  /** CPUs that have to flush their TLBs, after a roll-over. */
  protected cpusToFlush(): number {
    return (1 << this.layout.cpus) - 1;
  }

  /** The part of the slow path that makes up for a roll-over. With the lock held. */
  protected *flushIfPending(cpu: number): Task {
    const pending = yield* step(`test and clear tlb_flush_pending[${cpu}]`, () => this.#testAndClearPending(cpu));
    if (pending) yield* this.local_flush_tlb_all(cpu);
  }

  /** `local_flush_tlb_all()`: DSB NSHST, TLBI VMALLE1, DSB NSH. */
  protected *local_flush_tlb_all(cpu: number): Task {
    yield* step('TLBI VMALLE1', () => {
      smp_mb(this.machine);
      this.observer.noted('flush after a roll-over');
      this.cpu.tlbiVmalle1(cpu);
      return undefined;
    });
    yield* step('DSB NSH', () => {
      this.cpu.dsbNsh(cpu);
      return undefined;
    });
  }

  /**
   * `cpu_do_switch_mm()`, which reads the ASID again.
   *
   * Whoever clears an entry from now on must read the ASID that is loaded here, or else the walks under it must find the entry
   * cleared (comment above `ASID()` in `asm/mmu.h`). A store of `context.id` that has not arrived when walks begin breaks
   * that, so here it has.
   */
  protected *cpu_switch_mm(cpu: number, mm: Arm64Mm): Task {
    const asid = yield* mm.loadAsid();
    yield* step(`TTBR0 := ${mm.name}, ASID ${asid}`, () => {
      this.beforeTtbr0();
      this.cpu.writeTtbr0(cpu, mm.pgd, asid);
      return undefined;
    });
  }

  /** What the CPU has stored is in memory before walks begin. */
  protected beforeTtbr0(): void {
    smp_mb(this.machine);
  }

  /** The first free ASID from a number on, taken, in the current generation; 0 if there is none. */
  protected takeFree(from: number): ContextId {
    let asid = from;
    while (this.hasBit(asid)) asid++;
    if (asid > this.layout.asids) return 0;
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
    return (this.asidMap.value & (1 << asid)) !== 0;
  }

  protected setBit(asid: number): void {
    this.asidMap.value |= 1 << asid;
  }

  protected activeOf(cpu: number): Cell {
    return this.active[cpu] as Cell;
  }

  #testAndClearPending(cpu: number): boolean {
    const bit = 1 << cpu;
    const pending = (this.flushPending.value & bit) !== 0;
    this.flushPending.value &= ~bit;
    return pending;
  }
}
