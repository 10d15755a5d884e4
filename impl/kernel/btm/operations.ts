import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Task } from '../../../engine/step.ts';
import type { Mm } from '../objects.ts';
import { Operations } from '../operations.ts';
import type { BtmKernel } from './kernel.ts';

/** What programs can do besides: the scheduler of each CPU, and the birth and end of processes. */
export class BtmOperations extends Operations {
  declare protected readonly kernel: BtmKernel;

  /** `context_switch()` to a process, and `finish_task_switch()`. False if the CPU runs it, or it is gone. */
  *switchTo(cpu: number, process: number): Task<boolean> {
    const { kernel } = this;
    const mm = kernel.mms.at(process + 1);
    const before = yield* step(`schedule ${mm.name}`, () => {
      const running = kernel.running[cpu];
      const active = kernel.activeMms[cpu];
      if (running === undefined || active === undefined) return -1;
      if (running.value === process + 1 || (kernel.alive[process]?.value ?? 0) === 0) return -1;
      kernel.observer.scheduling(cpu);
      const old = active.value;
      running.value = process + 1;
      active.value = mm.handle;
      mm.mm_count.increment();
      this.#born(process);
      return old;
    });
    if (before < 0) return false;
    yield* kernel.asidAllocator.check_and_switch_context(cpu, kernel.contextOf(mm));
    if (before > 0) yield* kernel.context.mmdrop(kernel.mms.at(before));
    return true;
  }

  /** A switch to `init_mm`: nothing to walk. False if the CPU runs nothing. */
  *idle(cpu: number): Task<boolean> {
    const { kernel } = this;
    const before = yield* step('TTBR0 := reserved', () => {
      const active = kernel.activeMms[cpu];
      const running = kernel.running[cpu];
      if (active === undefined || running === undefined || active.value === 0) return 0;
      const old = active.value;
      active.value = 0;
      running.value = 0;
      kernel.cpu.clearTtbr0(cpu);
      return old;
    });
    if (before === 0) return false;
    yield* kernel.context.mmdrop(kernel.mms.at(before));
    return true;
  }

  /**
   * `dup_mm()` of what the CPU runs: a copy of the parent's `mm_struct`, and what `init_new_context()` makes of it. Its
   * pages are such that the child has them by page faults (`vma_needs_copy()`), so none of them is mapped yet.
   */
  *fork(cpu: number, process: number): Task<boolean> {
    const { kernel } = this;
    const child = kernel.mms.at(process + 1);
    return yield* step(`dup_mm to ${child.name}`, () => {
      const parent = kernel.running[cpu]?.value ?? 0;
      if (parent === 0 || kernel.born[process]?.value === 1 || this.#isKnown(child)) return false;
      this.#born(process);
      kernel.contextOf(child).pinned.value = kernel.contextOf(kernel.mms.at(parent)).pinned.value;
      kernel.asidAllocator.init_new_context(kernel.contextOf(child));
      // The child runs after it was put on a run queue, under the lock of that.
      smp_mb(kernel.machine);
      return true;
    });
  }

  /** The CPU's process exits, if no other CPU runs it. The CPU keeps its table until the next switch. */
  *exit(cpu: number): Task<boolean> {
    const { kernel } = this;
    const handle = yield* step('exit', () => {
      const running = kernel.running[cpu]?.value ?? 0;
      if (running === 0 || kernel.running.some(({ value }, other) => other !== cpu && value === running)) return 0;
      const alive = kernel.alive[running - 1];
      if (alive === undefined || alive.value === 0) return 0;
      alive.value = 0;
      (kernel.running[cpu] as { value: number }).value = 0;
      kernel.observer.stopped(cpu);
      return running;
    });
    if (handle === 0) return false;
    yield* kernel.mm.mmput(kernel.mms.at(handle));
    return true;
  }

  /** A process that is mapped, unmapped, or used by a device exists already. */
  #isKnown(mm: Mm): boolean {
    return mm.mm_users.value !== 1 || mm.mm_count.value !== 1 || this.kernel.contextOf(mm).id.value !== 0;
  }

  #born(process: number): void {
    const born = this.kernel.born[process];
    if (born !== undefined) born.value = 1;
  }
}
