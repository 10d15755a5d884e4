import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import { step, type Task } from '../../../engine/step.ts';
import type { Arm64Context } from './context.ts';
import type { Arm64Mm } from './mm.ts';
import type { Arm64Pgtable, VaRange } from './pgtable.ts';

/** What a switch has to do besides: other tables (1), and the end of a loan (2 times the handle of the address space). */
export type SwitchPlan = number;

/** What the scheduler asks of the world around it. */
export interface SchedObserver {
  /** The last reference to a process is gone: its top-level table goes back to the allocator. Inside a step. */
  pgdFreed(mm: Arm64Mm): void;
  /** What a process may have mapped. */
  rangeOf(mm: Arm64Mm): VaRange;
}

/**
 * Who uses which address space (`kernel/sched/core.c`, `kernel/fork.c`, `fs/exec.c`, Linux 6.1).
 *
 * A kernel thread has none of its own: it borrows what the CPU ran before, whose tables stay loaded (lazy TLB). So the CPU
 * needs no switch when it comes back to the same process, and the process's structure and top-level table must outlive its
 * users for as long (`mm_count`).
 */
export class Arm64Sched {
  protected readonly context: Arm64Context;
  protected readonly pgtable: Arm64Pgtable;
  protected readonly observer: SchedObserver;
  protected readonly mms: readonly Arm64Mm[];
  /** `active_mm` of what each CPU runs, as index plus 1; 0: `init_mm`. */
  protected readonly active: readonly Cell[];
  /** 1 while a CPU runs a kernel thread that has borrowed `active_mm`. */
  protected readonly borrowed: readonly Cell[];

  /** @param layout the processes there can be, by their handle less 1, and how many CPUs. */
  constructor(
    machine: Machine,
    parts: { readonly context: Arm64Context; readonly pgtable: Arm64Pgtable; readonly observer: SchedObserver },
    layout: { readonly mms: readonly Arm64Mm[]; readonly cpus: number },
  ) {
    this.context = parts.context;
    this.pgtable = parts.pgtable;
    this.observer = parts.observer;
    this.mms = layout.mms;
    const name = (handle: number): string => (handle === 0 ? 'init_mm' : (this.mms[handle - 1]?.name ?? '?'));
    const each = (what: string, options: object): Cell[] =>
      Array.from({ length: layout.cpus }, (_, cpu) => new Cell(machine, `${what}[${cpu}]`, options));
    this.active = each('active_mm', { format: (_at: number, handle: number) => name(handle), internal: true });
    this.borrowed = each('lazy TLB', { internal: true });
  }

  /** Begins a switch to a thread of a process (`context_switch()`), inside a step; `finish` is what is left to do. */
  begin(cpu: number, next: Arm64Mm): SwitchPlan {
    const before = this.activeOf(cpu).value;
    const returned = this.borrowedOf(cpu).value === 1 ? before : 0;
    const handle = this.handleOf(next);
    this.activeOf(cpu).value = handle;
    this.borrowedOf(cpu).value = 0;
    return this.changes(before, handle) + 2 * returned;
  }

  /** Tables are loaded unless they are there (`switch_mm()`); then a loan ends (`finish_task_switch()`). */
  *finish(cpu: number, next: Arm64Mm, plan: SwitchPlan): Task {
    if ((plan & 1) === 1) yield* this.context.check_and_switch_context(cpu, next);
    if (plan > 1) yield* this.mmdrop(this.mmOf(plan >> 1));
  }

  /** The CPU goes to a kernel thread, which borrows what is loaded (`enter_lazy_tlb()`, `mmgrab_lazy_tlb()`), inside a step. */
  enterLazyTlb(cpu: number): void {
    this.borrowedOf(cpu).value = 1;
    this.mmOf(this.activeOf(cpu).value).mm_count.increment();
  }

  /** The CPU goes to `init_mm`, which has nothing in the lower half (`idle_task_exit()`), inside a step. */
  enterInitMm(cpu: number): void {
    this.activeOf(cpu).value = 0;
  }

  /** Whether another CPU runs a process, or is on its way to it; inside a step. */
  isRunElsewhere(cpu: number, mm: Arm64Mm): boolean {
    const handle = this.handleOf(mm);
    return this.active.some((cell, at) => at !== cpu && cell.value === handle && this.borrowedOf(at).value === 0);
  }

  /** For checks: whether a kernel thread has borrowed the address space of a process. */
  isBorrowed(mm: Arm64Mm): boolean {
    const handle = this.handleOf(mm);
    return this.active.some((cell, cpu) => cell.peek(0) === handle && this.borrowedOf(cpu).peek(0) === 1);
  }

  /** `mm_init()` for fork and exec, inside a step: a new process in the place of `mm`, which nobody has any more. */
  mm_init(mm: Arm64Mm): void {
    mm.mm_users.value = 1;
    mm.mm_count.value = 1;
    this.context.init_new_context(mm);
  }

  /** `mmput()`: the last user tears the address space down. */
  *mmput(cpu: number, mm: Arm64Mm): Task {
    const last = yield* mm.mm_users.put();
    if (!last) return;
    yield* this.exit_mmap(cpu, mm);
    yield* this.mmdrop(mm);
  }

  /** `mmdrop()`: with the last reference the structure and its top-level table go. */
  *mmdrop(mm: Arm64Mm): Task {
    yield* step(`mmdrop(${mm.name})`, () => {
      if (!mm.mm_count.decrement()) return undefined;
      this.context.destroy_context(mm);
      this.observer.pgdFreed(mm);
      return undefined;
    });
  }

  protected *exit_mmap(cpu: number, mm: Arm64Mm): Task {
    yield* this.context.arch_exit_mmap(cpu, mm);
    yield* this.pgtable.exit_mmap(cpu, mm, this.observer.rangeOf(mm));
  }

  /** `switch_mm()`: 1 if the tables of another process are to be loaded. */
  protected changes(before: number, next: number): 0 | 1 {
    return before === next ? 0 : 1;
  }

  protected handleOf(mm: Arm64Mm): number {
    return this.mms.indexOf(mm) + 1;
  }

  protected mmOf(handle: number): Arm64Mm {
    return this.mms[handle - 1] as Arm64Mm;
  }

  protected activeOf(cpu: number): Cell {
    return this.active[cpu] as Cell;
  }

  protected borrowedOf(cpu: number): Cell {
    return this.borrowed[cpu] as Cell;
  }
}
