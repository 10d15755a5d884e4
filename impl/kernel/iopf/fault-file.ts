import { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { IommufdFault } from './fault-object.ts';
import type { IopfKernel } from './kernel.ts';

/**
 * The file of a fault object. None of its waits is interruptible: `read()` does not wait, and `poll()` has nothing to take
 * back; so a signal shows as a `copy_to_user()` that fails, or, if it ends the process, as a close between any two of its calls.
 */
export class FaultFile {
  protected readonly kernel: IopfKernel;
  readonly #fault: IommufdFault;
  /** 1 while the descriptor is in the table. */
  readonly #open: Cell;
  /** The table, and each call that is under way (`struct file`). */
  readonly #users: Cell;

  constructor(kernel: IopfKernel, fault: IommufdFault) {
    this.kernel = kernel;
    this.#fault = fault;
    this.#open = new Cell(kernel.machine, 'fault_fd.open');
    this.#users = new Cell(kernel.machine, 'fault_fd.f_count');
    this.#open.value = 1;
    this.#users.value = 1;
  }

  /** For a `Waitable`: whether there is anything left to poll. */
  isOpen(): boolean {
    return this.#open.peek(0) === 1;
  }

  /** `read()`: a cookie, -1 if there is none, or the file is closed. */
  *read(faults: boolean): Task<number> {
    if (!(yield* this.fdget())) return -1;
    const cookie = yield* this.#fault.fops_read(faults);
    yield* this.fdput();
    return cookie;
  }

  /** `write()`: false if there is no such cookie, or the file is closed. */
  *write(cookie: number): Task<boolean> {
    if (!(yield* this.fdget())) return false;
    const answered = yield* this.#fault.fops_write(cookie);
    yield* this.fdput();
    return answered;
  }

  /** `close()`. False if that has been done. */
  *close(): Task<boolean> {
    const open = yield* step('close(fault_fd)', () => {
      const was = this.#open.value === 1;
      if (was) this.kernel.emit({ type: 'pri.closed' });
      this.#open.value = 0;
      return was;
    });
    if (open) yield* this.fdput();
    return open;
  }

  protected fdget(): Step<boolean> {
    return step('fdget(fault_fd)', () => {
      if (this.#open.value === 0) return false;
      this.#users.value++;
      return true;
    });
  }

  /** Who has the file last releases it. */
  protected *fdput(): Task {
    const last = yield* step('fdput(fault_fd)', () => {
      this.#users.value--;
      return this.#users.value === 0;
    });
    if (last) yield* this.#fault.fops_release();
  }
}
