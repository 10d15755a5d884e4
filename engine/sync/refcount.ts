import { Cell, type Lifetime } from '../cell.ts';
import { releaseOrder } from '../memory-order/barriers.ts';
import type { Machine } from '../machine.ts';
import { step, type Step } from '../step.ts';

/**
 * A reference count (`refcount_t`): going up from 0 and going below 0 are failures. Counts are atomic; dropping one is a
 * release, taking one orders nothing.
 */
export class Refcount {
  readonly name: string;
  readonly #machine: Machine;
  readonly #count: Cell;

  constructor(machine: Machine, name: string, lifetime?: Lifetime) {
    this.name = name;
    this.#machine = machine;
    this.#count = new Cell(machine, name, lifetime === undefined ? {} : { lifetime });
  }

  /** The count, inside a step. Setting it is `refcount_set`. */
  get value(): number {
    return this.#count.value;
  }

  set value(count: number) {
    this.#count.value = count;
  }

  /** `refcount_set` as a step. */
  set(count: number): Step<undefined> {
    return this.#count.store(count);
  }

  /** `refcount_inc`: the caller must know that the count is above 0. */
  get(): Step<undefined> {
    return step(`refcount_inc ${this.name}`, () => {
      this.increment();
      return undefined;
    });
  }

  /** `refcount_inc` inside a larger step. */
  increment(): void {
    const count = this.#count.value;
    if (count === 0) this.#fail('refcount-resurrected', 'takes a reference to an object whose count is already 0');
    this.#count.value = count + 1;
  }

  /** `refcount_inc_not_zero`: false if the object is already going. */
  incNotZero(): Step<boolean> {
    return step(`refcount_inc_not_zero ${this.name}`, () => {
      const count = this.#count.value;
      if (count === 0) return false;
      this.#count.value = count + 1;
      return true;
    });
  }

  /** `refcount_dec_and_test`: true if this was the last reference. */
  put(): Step<boolean> {
    return step(`refcount_dec_and_test ${this.name}`, () => this.decrement());
  }

  /** `refcount_dec_and_test` inside a larger step. What was stored before is in memory first. */
  decrement(): boolean {
    releaseOrder(this.#machine);
    const count = this.#count.value;
    if (count === 0) this.#fail('refcount-underflow', 'drops a reference that nobody holds');
    else this.#count.value = count - 1;
    return count === 1;
  }

  #fail(rule: string, what: string): void {
    const agent = this.#machine.agentName(this.#machine.current);
    const message = `${agent} ${what} (${this.name}).`;
    this.#machine.fail({ monitor: 'safety', rule, message, data: { kind: this.name.replace(/\d+/, '') } });
  }
}
