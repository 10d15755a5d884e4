import type { Sample } from './unseen.ts';

/** Sightings that are told apart: more are as good as these. */
const MANY = 3;

/**
 * In how many units of sampling each fingerprint was seen: in one, in two, or in more. Open addressing with linear probing,
 * grown at two thirds load; 16 bytes an entry.
 */
export class Sightings implements Sample {
  units = 0;
  kinds = 0;
  once = 0;
  twice = 0;
  /** For each place: the two lanes, the last unit (1 is the first), the number of units up to `MANY`; 0 is free. */
  #table: Int32Array;
  #mask: number;

  /** @param capacity fingerprints to make place for at first; a power of two. */
  constructor(capacity = 1 << 10) {
    this.#table = new Int32Array(capacity * 4);
    this.#mask = capacity - 1;
  }

  /** Another unit begins. */
  next(): void {
    this.units++;
  }

  /** A fingerprint is seen in the present unit, of which there must be one. */
  see(low: number, high: number): void {
    const table = this.#table;
    const at = this.#find(low | 0, high | 0);
    const times = table[at + 3] as number;
    if (times > 0 && table[at + 2] === this.units) return;
    table[at + 2] = this.units;
    if (times === MANY) return;
    table[at + 3] = times + 1;
    if (times === 0) {
      table[at] = low;
      table[at + 1] = high;
      this.kinds++;
      this.once++;
      if (this.kinds * 3 > this.#mask * 2) this.#grow();
    } else if (times === 1) {
      this.once--;
      this.twice++;
    } else this.twice--;
  }

  /** Where a fingerprint is, or would be. */
  #find(low: number, high: number): number {
    const table = this.#table;
    const mask = this.#mask;
    for (let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 4;
      if (table[at + 3] === 0 || (table[at] === low && table[at + 1] === high)) return at;
    }
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Int32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    for (let at = 0; at < old.length; at += 4) {
      if (old[at + 3] === 0) continue;
      const to = this.#find(old[at] as number, old[at + 1] as number);
      this.#table.set(old.subarray(at, at + 4), to);
    }
  }
}
