import { HarnessError } from '../../engine/failure.ts';
import { Source, type Generator as Drawer } from './draw.ts';

/**
 * Everything that a generator can draw, each sequence of choices once, depth first: the first option of each choice first.
 * What the generator calls a duplicate is left out, with all that begins like it. Nothing is kept but the choices of the
 * value at hand.
 *
 * @throws HarnessError if the generator does not draw the same again after the same choices.
 */
export function* exhaust<T>(generator: Drawer<T>): Generator<T, void, void> {
  const odometer = new Odometer();
  do {
    odometer.rewind();
    let value: T;
    try {
      value = generator(odometer);
    } catch (error) {
      if (error === DUPLICATE) continue;
      throw error;
    }
    yield value;
  } while (odometer.advance());
}

/** How many values `exhaust` gives. */
export function countAll(generator: Drawer<unknown>): number {
  let count = 0;
  for (const _ of exhaust(generator)) count++;
  return count;
}

const DUPLICATE: unique symbol = Symbol('duplicate');

/** Choices as the digits of a number, each with its own base. */
class Odometer extends Source {
  readonly #digits: number[] = [];
  readonly #bases: number[] = [];
  #at = 0;

  protected choose(n: number): number {
    const at = this.#at++;
    if (at === this.#digits.length) {
      this.#digits.push(0);
      this.#bases.push(n);
    } else if (this.#bases[at] !== n)
      throw new HarnessError(
        `a generator chose among ${n}, and before among ${this.#bases[at]}, after the same choices`,
      );
    return this.#digits[at] as number;
  }

  override duplicate(): void {
    // eslint-disable-next-line no-throw-literal -- caught in `exhaust`; an error would cost a stack trace each time
    throw DUPLICATE;
  }

  rewind(): void {
    this.#at = 0;
  }

  /** Goes to the next sequence; false after the last one. */
  advance(): boolean {
    const digits = this.#digits;
    while (digits.length > 0) {
      const last = digits.length - 1;
      const next = (digits[last] as number) + 1;
      if (next < (this.#bases[last] as number)) {
        digits[last] = next;
        return true;
      }
      digits.pop();
      this.#bases.pop();
    }
    return false;
  }
}
