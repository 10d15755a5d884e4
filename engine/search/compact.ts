import type { Omissions, Seen } from './seen.ts';

/** Share of the slots that may be in use. */
const LOAD_MAX = 0.9;

/**
 * Hash compaction (P. Wolper, D. Leroy, "Reliable hashing without collision detection", 1993; the place in the table as part
 * of what is kept: U. Stern, D. Dill, "A new scheme for memory-efficient probabilistic verification", 1996): a table of
 * fixed size that keeps 32 of the 64 bits of a fingerprint, at a place that the others determine. Each comparison with
 * another state's 32 bits takes it for the same with probability 2⁻³².
 */
export class CompactVisited implements Seen {
  size = 0;
  /** Comparisons with other states that new ones have come through. */
  #comparisons = 0;
  readonly #table: Int32Array;
  readonly #scale: number;
  readonly #sizeMax: number;

  /** @param megabytes size of the table: 4 bytes hold a state. */
  constructor(megabytes: number) {
    const slots = Math.floor((megabytes * 2 ** 20) / 4);
    this.#table = new Int32Array(slots);
    this.#scale = slots / 2 ** 32;
    this.#sizeMax = Math.floor(slots * LOAD_MAX);
  }

  get isFull(): boolean {
    return this.size >= this.#sizeMax;
  }

  visit(low: number, high: number): boolean {
    const table = this.#table;
    const word = high === 0 ? 1 : high | 0;
    const slots = table.length;
    const home = ((low >>> 0) * this.#scale) | 0;
    let at = home;
    while (table[at] !== 0) {
      if (table[at] === word) return false;
      if (++at === slots) at = 0;
    }
    table[at] = word;
    this.size++;
    this.#comparisons += at < home ? at - home + slots : at - home;
    return true;
  }

  omissions(): Omissions {
    const expected = this.#comparisons / 2 ** 32;
    const bitsPerState = (this.#table.length * 32) / this.size;
    return { expected, probability: 1 - Math.exp(-expected), bitsPerState };
  }
}
