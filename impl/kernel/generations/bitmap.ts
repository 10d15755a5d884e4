import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';

/** A bitmap of up to 32 numbers in one cell, used inside steps. Whoever has its lock has it alone. */
export class Bitmap {
  readonly #cell: Cell;

  constructor(machine: Machine, name: string) {
    this.#cell = new Cell(machine, name, { format: (_offset, bits) => showBits(bits) });
  }

  /** All bits. */
  get bits(): number {
    return this.#cell.value;
  }

  set bits(bits: number) {
    this.#cell.value = bits;
  }

  /** `test_bit()`. */
  has(number: number): boolean {
    return (this.#cell.value & (1 << number)) !== 0;
  }

  /** `__set_bit()`. */
  set(number: number): void {
    this.#cell.value |= 1 << number;
  }

  /** `__clear_bit()`. */
  clear(number: number): void {
    this.#cell.value &= ~(1 << number);
  }

  /** `find_next_zero_bit()`: the first number from `from` to below `size` that is not in the set; `size` if there is none. */
  findNextZero(size: number, from: number): number {
    let number = from;
    while (number < size && this.has(number)) number++;
    return number;
  }
}

/** A set of numbers below 32, as a report shows it: "{1 4}". */
export function showBits(bits: number): string {
  const numbers = Array.from({ length: 32 }, (_, number) => number).filter((number) => ((bits >>> number) & 1) === 1);
  return `{${numbers.join(' ')}}`;
}
