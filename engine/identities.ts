import { mixHigh, mixLow, printOfText, type Lanes } from './hash.ts';

/** Words for what a value of a cell stands for. Equal words, equal things: in every world of one make, in every process. */
export type Meaning = (value: number) => string;

/** The values of some cells are numbers given out in the order in which things came up. */
class Meanings {
  readonly #of: Meaning;
  readonly #prints: Lanes[] = [];

  constructor(of: Meaning) {
    this.#of = of;
  }

  print(value: number): Lanes {
    return (this.#prints[value] ??= printOfText(this.#of(value)));
  }
}

/** Most groups of cells with meanings of their own. */
const MEANINGS_MAX = 255;

/**
 * What cells and values stand for where their numbers tell only in which order things came up (interned things: each has
 * the next free cell, or the next free number). A fingerprint made from such numbers would mean something only within one
 * world; with this, it is made from what they stand for, and means the same in each thread and after a restart.
 */
export class Identities {
  /** For each cell, what its number is replaced by in the two lanes of a fingerprint. */
  #low = new Int32Array(0);
  #high = new Int32Array(0);
  /** For each cell, 1 + index of the meanings of its values; 0: they stand for themselves. */
  #group = new Uint8Array(0);
  readonly #meanings: Meanings[] = [];

  /** Says what a cell stands for. */
  name(cell: number, content: string): void {
    this.#reach(cell + 1);
    const { low, high } = printOfText(content);
    this.#low[cell] = low;
    this.#high[cell] = high;
  }

  /** Says what the values (0 … some thousands) of consecutive cells stand for. 0 is nothing, whatever `meaning` says. */
  mean(base: number, length: number, meaning: Meaning): void {
    if (this.#meanings.length === MEANINGS_MAX) throw new RangeError(`more than ${MEANINGS_MAX} meanings of values`);
    this.#reach(base + length);
    this.#group.fill(this.#meanings.push(new Meanings(meaning)), base, base + length);
  }

  /** Lane 0 of what a cell with this value adds to a fingerprint. */
  low(cell: number, value: number): number {
    if (value === 0) return 0;
    if (cell >= this.#low.length) return mixLow(cell, value);
    const group = this.#group[cell] as number;
    const print = group === 0 ? value : (this.#meanings[group - 1] as Meanings).print(value).low;
    return mixLow(this.#low[cell] as number, print);
  }

  /** Lane 1 of it. */
  high(cell: number, value: number): number {
    if (value === 0) return 0;
    if (cell >= this.#high.length) return mixHigh(cell, value);
    const group = this.#group[cell] as number;
    const print = group === 0 ? value : (this.#meanings[group - 1] as Meanings).print(value).high;
    return mixHigh(this.#high[cell] as number, print);
  }

  #reach(length: number): void {
    const from = this.#low.length;
    if (length <= from) return;
    const size = Math.max(length, from * 2);
    const low = new Int32Array(size);
    const high = new Int32Array(size);
    const group = new Uint8Array(size);
    low.set(this.#low);
    high.set(this.#high);
    group.set(this.#group);
    for (let cell = from; cell < size; cell++) low[cell] = high[cell] = cell;
    this.#low = low;
    this.#high = high;
    this.#group = group;
  }
}
