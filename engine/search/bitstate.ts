import type { Omissions, Seen } from './seen.ts';

/** Bits set for each state. */
const HASHES = 3;

/**
 * Supertrace: a state is three bits in an array of fixed size, at places that its fingerprint gives; one whose bits are all
 * set counts as known (G. Holzmann, "An analysis of bitstate hashing", Formal Methods in System Design 13, 1998; the places
 * by double hashing: P. Dillinger, P. Manolios, "Bloom filters in probabilistic verification", 2004).
 */
export class BitstateVisited implements Seen {
  /** Number of states that were new: some others were taken for known. */
  size = 0;
  /** Sum over the states of the probability that one more would have been taken for known then. */
  #expected = 0;
  #bitsSet = 0;
  readonly #words: Int32Array;
  readonly #bits: number;

  /** @param megabytes size of the array. */
  constructor(megabytes: number) {
    this.#words = new Int32Array(Math.floor((megabytes * 2 ** 20) / 4));
    this.#bits = this.#words.length * 32;
  }

  visit(low: number, high: number): boolean {
    const words = this.#words;
    let place = low;
    let fresh = 0;
    for (let hash = 0; hash < HASHES; hash++) {
      const bit = (place >>> 0) * (this.#bits / 2 ** 32);
      const at = Math.floor(bit / 32);
      const mask = 1 << (bit % 32);
      const word = words[at] as number;
      if ((word & mask) === 0) {
        words[at] = word | mask;
        fresh++;
      }
      place = Math.imul(place ^ high, 0x9e3779b1) ^ (high >>> 15);
    }
    if (fresh === 0) return false;
    this.#bitsSet += fresh;
    this.#expected += (this.#bitsSet / this.#bits) ** HASHES;
    this.size++;
    return true;
  }

  omissions(): Omissions {
    return {
      expected: this.#expected,
      probability: 1 - Math.exp(-this.#expected),
      bitsPerState: this.#bits / this.size,
    };
  }
}
