import { Cell, type Lifetime } from '../cell.ts';
import { releaseOrder } from '../memory-order/barriers.ts';
import type { Machine } from '../machine.ts';
import { step, waitStep, type Step } from '../step.ts';
import type { Waitable } from '../waitable.ts';

const ALL = 0x7fffffff;

/** `struct completion`: `complete` lets one waiter go, `completeAll` all of them until `reinit`. Completing is a release. */
export class Completion implements Waitable {
  readonly name: string;
  readonly ender = 'complete()';
  readonly #machine: Machine;
  readonly #done: Cell;

  constructor(machine: Machine, name: string, lifetime?: Lifetime) {
    this.name = `completion ${name}`;
    this.#machine = machine;
    this.#done = new Cell(machine, name, lifetime === undefined ? {} : { lifetime });
  }

  ready(): boolean {
    return this.#done.peek(ALL) > 0;
  }

  /** `reinit_completion`. */
  reinit(): Step<undefined> {
    return step(`reinit ${this.name}`, () => {
      this.#done.value = 0;
      return undefined;
    });
  }

  /** `complete`. */
  complete(): Step<undefined> {
    return step(`complete ${this.name}`, () => {
      releaseOrder(this.#machine);
      if (this.#done.value !== ALL) this.#done.value += 1;
      return undefined;
    });
  }

  /** `complete_all`. */
  completeAll(): Step<undefined> {
    return step(`complete_all ${this.name}`, () => {
      releaseOrder(this.#machine);
      this.#done.value = ALL;
      return undefined;
    });
  }

  /** `wait_for_completion`: sleeps until done. */
  wait(): Step<undefined> {
    return waitStep(`wait for ${this.name}`, this, () => {
      this.#machine.mightSleep(`wait_for_completion(${this.name})`);
      if (this.#done.value !== ALL) this.#done.value -= 1;
      return undefined;
    });
  }
}
