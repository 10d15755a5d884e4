import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import { SpinLock } from '../../../engine/sync/lock.ts';
import { Arm64AsidMap, type Arm64Layout, type ContextObserver } from './asid-map.ts';
import { asid2ctxid, ctxid2asid, generationOf, showContextId, type ContextId } from './context-id.ts';
import { loadAsid, storeId, type Arm64MmContext } from './mm.ts';
import type { Arm64Cpu } from './port.ts';

/**
 * The ASID allocator (`arch/arm64/mm/context.c`, Linux 6.1). A context switch takes the fast path if the ASID of the process
 * belongs to the current generation, without a lock; else it takes `cpu_asid_lock`. When no ASID is left, a new generation
 * begins: what runs keeps its ASID (reserved), what devices use does too (pinned), and every CPU flushes its TLB at its next
 * switch. An ASID never comes back before that, whatever becomes of its process. Each access that others may race with is a
 * step of its own; what only the holder of the lock touches is not.
 *
 * A hazard is a subclass that replaces one routine.
 */
export class Arm64Context extends Arm64AsidMap {
  protected readonly cpu: Arm64Cpu;
  protected readonly lock: SpinLock;

  constructor(machine: Machine, cpu: Arm64Cpu, layout: Arm64Layout, observer: ContextObserver) {
    const lock = new SpinLock(machine, 'cpu_asid_lock');
    super(machine, layout, observer);
    this.cpu = cpu;
    this.lock = lock;
  }

  /** `check_and_switch_context()`, for a CPU in the scheduler. */
  *check_and_switch_context(cpu: number, mm: Arm64MmContext): Task {
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
   * `arm64_mm_context_get()`: pins the ASID for a device, and returns it, with KPTI the user's half; 0 if there are too many.
   * It stays that of the process until the last `arm64_mm_context_put`.
   */
  *arm64_mm_context_get(mm: Arm64MmContext): Task<number> {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    const may = yield* step('pinned?', () => this.lookAtPins(mm));
    const pinned = may === 'no' ? 0 : may === 'pinned' ? id : yield* this.pinNew(mm, id);
    yield* this.lock.unlock();
    return this.deviceAsid(ctxid2asid(pinned));
  }

  /** "Set the equivalent of USER_ASID_BIT": a device runs as the process itself does. */
  protected deviceAsid(asid: number): number {
    return this.userAsid(asid);
  }

  /** `arm64_mm_context_put()`. */
  *arm64_mm_context_put(mm: Arm64MmContext): Task {
    const asid = yield* loadAsid(mm);
    yield* this.lock.lock();
    yield* step(`${mm.name}.context.pinned--`, () => {
      mm.pinned.value--;
      if (mm.pinned.value === 0) this.unpin(asid);
      return undefined;
    });
    yield* this.lock.unlock();
  }

  /**
   * `arch_exit_mmap()`: the last thread of a process is gone. Its ASID is not given back, though "it would be nice" (comment
   * above `check_and_switch_context()` in `asm/mmu_context.h`): TLBs have entries under it, tables may be loaded still, and a
   * roll-over may have given it to another process meanwhile. The next roll-over finds that nobody runs under it.
   */
  *arch_exit_mmap(_cpu: number, _mm: Arm64MmContext): Task {}

  /** With the lock held. */
  protected *pinNew(mm: Arm64MmContext, id: ContextId): Task<ContextId> {
    const current = (yield* this.asid_gen_match(id)) ? id : yield* this.renew(mm, id);
    yield* step(`pinned_asid_map |= ${ctxid2asid(current)}`, () => {
      this.pin(mm, ctxid2asid(current));
      return undefined;
    });
    return current;
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

  protected *slowPath(cpu: number, mm: Arm64MmContext, _seen: ContextId): Task {
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
  protected *renew(mm: Arm64MmContext, id: ContextId): Task<ContextId> {
    const renewed = yield* this.new_context(mm, id);
    yield* storeId(mm, renewed);
    return renewed;
  }

  protected *new_context(mm: Arm64MmContext, id: ContextId): Task<ContextId> {
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

  /** The lists of the new generation. With the lock held. */
  protected *flush_context(): Task {
    yield* step('asid_map := pinned_asid_map', () => {
      this.set_reserved_asid_bits();
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

  /** The part of the slow path that makes up for a roll-over. With the lock held. */
  protected *flushIfPending(cpu: number): Task {
    const pending = yield* step(`test and clear tlb_flush_pending[${cpu}]`, () => this.testAndClearPending(cpu));
    if (pending) yield* this.local_flush_tlb_all(cpu);
  }

  /** `local_flush_tlb_all()`: DSB NSHST, TLBI VMALLE1, DSB NSH. */
  protected *local_flush_tlb_all(cpu: number): Task {
    yield* step('TLBI VMALLE1', () => {
      smp_mb(this.machine);
      this.observer.noted('flush after a roll-over');
      this.cpu.tlbi(cpu, { kind: 'VMALLE1' }, false);
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
  protected *cpu_switch_mm(cpu: number, mm: Arm64MmContext): Task {
    const asid = yield* loadAsid(mm);
    yield* step(`TTBR0 := ${mm.name}, ASID ${asid}`, () => {
      this.beforeTtbr0();
      this.cpu.writeTtbr0(cpu, mm.pgd, asid, this.userAsid(asid));
      return undefined;
    });
  }

  /** What the CPU has stored is in memory before walks begin. */
  protected beforeTtbr0(): void {
    smp_mb(this.machine);
  }
}
