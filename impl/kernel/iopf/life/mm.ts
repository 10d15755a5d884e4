import { step, type Step, type Task } from '../../../../engine/step.ts';
import type { IopfKernel } from '../kernel.ts';
import type { MmStruct, Process } from './objects.ts';
import type { ProcessLife } from './life.ts';

/** The life of address spaces (`kernel/fork.c`, `mm/mmap.c`). */
export class ProcessMm {
  protected readonly kernel: IopfKernel;
  protected readonly life: ProcessLife;

  constructor(kernel: IopfKernel, life: ProcessLife) {
    this.kernel = kernel;
    this.life = life;
  }

  /** `mmget_not_zero()`: false if the address space is going. */
  mmget_not_zero(mm: MmStruct): Step<boolean> {
    return step(`mmget_not_zero(${mm.name})`, () => {
      if (mm.mm_users.value === 0) {
        this.kernel.note('request of a process that has exited');
        return false;
      }
      mm.mm_users.increment();
      return true;
    });
  }

  /** While a thread of a process runs, its address space stays (`get_task_mm()`). False if there is none any more. */
  get_task_mm({ name, alive }: Process, mm: MmStruct): Step<boolean> {
    return step(`${name} runs`, () => {
      if (alive.value === 0) return false;
      mm.mm_users.increment();
      return true;
    });
  }

  /** The thread has done what it had to do. */
  *put_task_mm(mm: MmStruct): Task {
    yield* this.mmput(mm);
  }

  /** `mmput()`: the last user tears the address space down. */
  *mmput(mm: MmStruct): Task {
    const last = yield* step(`mmput(${mm.name})`, () => {
      const none = mm.mm_users.decrement();
      if (none) this.#exits(mm);
      return none;
    });
    if (last) yield* this.finalMmput(mm);
  }

  /** `__mmput()`. */
  *finalMmput(mm: MmStruct): Task {
    yield* this.exit_mmap(mm);
    yield* this.mmdrop(mm);
  }

  /** `exit_mmap()`: whoever else walks the tables stops; then they go. */
  protected *exit_mmap(mm: MmStruct): Task {
    yield* this.life.notifiers.mmu_notifier_release(mm);
    yield* this.free_pgtables(mm);
  }

  protected free_pgtables(mm: MmStruct): Step<undefined> {
    return step(`free_pgtables(${mm.name})`, () => {
      this.kernel.emit({ type: 'pri.tables-freed', space: mm.space });
      return undefined;
    });
  }

  /** `mmdrop()`: with the last reference the structure goes, and the PASID with it. */
  *mmdrop(mm: MmStruct): Task {
    const last = yield* step(`mmdrop(${mm.name})`, () => mm.mm_count.decrement());
    if (last) yield* this.finalMmdrop(mm);
  }

  /** `__mmdrop()`. */
  protected *finalMmdrop(mm: MmStruct): Task {
    yield* this.life.pasids.mm_pasid_drop(mm);
    yield* step(`free_mm(${mm.name})`, () => {
      this.life.mms.free(mm.handle);
      return undefined;
    });
  }

  /** Nobody uses the address space any more. Inside a step. */
  #exits(mm: MmStruct): void {
    const { emit, note, drains } = this.kernel;
    if (mm.notifier.value !== 0) note('exit while bound');
    if (drains.value > 0) note('exit while a drain is under way');
    if (this.life.isWorker()) note('address space torn down by a page fault');
    emit({ type: 'pri.exit', space: mm.space });
  }
}
