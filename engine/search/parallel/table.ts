import type { Seen } from '../seen.ts';

/** Words of an entry: the two lanes of a fingerprint. */
const ENTRY = 2;
/** Slots of the smallest table: what threads add between two looks at how full it is must find place. */
const CAPACITY_MIN = 1 << 15;
/** Slots that a thread moves at a time when the table grows. */
const PART = 1 << 12;
/** Words of a page of memory. */
const PAGE = 1 << 10;

/**
 * A set of 64-bit fingerprints in memory that several threads share: open addressing with linear probing. A slot is taken by
 * exchanging its first lane against 0, and then shown by writing its second: whoever meets a taken slot that is not yet
 * shown waits for that. So each fingerprint is new to exactly one thread, and nothing is ever locked.
 *
 * The table does not grow by itself: `moveTo` moves it into a larger one, while nobody visits.
 */
export class SharedTable implements Seen {
  readonly isShared = true;
  /** Number of states that were new to this thread. */
  size = 0;
  #words: Int32Array;
  /** The first bits of lane 0 are the home of a fingerprint: so moving into a larger table is a sweep through both. */
  #shift = 0;

  /** @param memory as made by `memoryFor`. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#shift = shiftFor(this.#words);
  }

  /** Memory for a table of `capacity` slots, a power of two. @throws RangeError if there is not so much. */
  static memoryFor(capacity: number): SharedArrayBuffer {
    return new SharedArrayBuffer(capacity * ENTRY * 4);
  }

  /** Number of slots; two thirds of them may be used. */
  get capacity(): number {
    return this.#words.length / ENTRY;
  }

  /** `Seen.visit`. */
  visit(low: number, high: number): boolean {
    const lane0 = kept(low);
    const lane1 = kept(high);
    const words = this.#words;
    const last = words.length - 1;
    for (let at = (lane0 >>> this.#shift) << 1; ; at = (at + ENTRY) & last) {
      let found = words[at] as number;
      if (found === 0) {
        found = Atomics.compareExchange(words, at, 0, lane0);
        if (found === 0) {
          words[at + 1] = lane1;
          this.size++;
          return true;
        }
      }
      if (found !== lane0) continue;
      let other = words[at + 1] as number;
      while (other === 0) other = Atomics.load(words, at + 1);
      if (other === lane1) return false;
    }
  }

  /**
   * Goes over to a larger table. All threads do this at once, and move the entries together.
   *
   * @param nextPart a new number for each call by any thread, from 0 on.
   * @param moved waits until all threads have called it.
   */
  moveTo(memory: SharedArrayBuffer, nextPart: () => number, moved: () => void): void {
    const old = this.#words;
    const { capacity } = this;
    this.#words = new Int32Array(memory);
    this.#shift = shiftFor(this.#words);
    const factor = this.capacity / capacity;
    for (let from = nextPart() * PART; from < capacity; from = nextPart() * PART) {
      const to = Math.min(from + PART, capacity);
      this.#touch(from * factor * ENTRY, to * factor * ENTRY);
      this.fill(old.subarray(from * ENTRY, to * ENTRY));
    }
    moved();
  }

  /**
   * Makes room in memory by a write to each page that changes nothing. A page that is read first is given to all who have read
   * it as one page of zeros, and that is taken back from every processor at the first write: with several threads most of
   * the time of a small search went there.
   */
  #touch(from: number, to: number): void {
    const words = this.#words;
    for (let at = from; at < to; at += PAGE) Atomics.compareExchange(words, at, 0, 0);
  }

  /** All entries, two words each, in any order. Nobody may be visiting. */
  entries(): Int32Array {
    const words = this.#words;
    let count = 0;
    for (let at = 0; at < words.length; at += ENTRY) if (words[at] !== 0) count++;
    const entries = new Int32Array(count * ENTRY);
    for (let at = 0, next = 0; at < words.length; at += ENTRY) {
      if (words[at] === 0) continue;
      entries[next++] = words[at] as number;
      entries[next++] = words[at + 1] as number;
    }
    return entries;
  }

  /** Adds entries that are not there. */
  fill(entries: Int32Array): void {
    const words = this.#words;
    const last = words.length - 1;
    const shift = this.#shift;
    for (let from = 0; from < entries.length; from += ENTRY) {
      const lane0 = entries[from] as number;
      if (lane0 === 0) continue;
      let at = (lane0 >>> shift) << 1;
      while (words[at] !== 0 || Atomics.compareExchange(words, at, 0, lane0) !== 0) at = (at + ENTRY) & last;
      words[at + 1] = entries[from + 1] as number;
    }
  }
}

/** Bits of lane 0 that do not tell the home, for a table whose length is a power of two. */
function shiftFor(words: Int32Array): number {
  return Math.clz32(words.length / ENTRY) + 1;
}

/** A lane as it is kept: 0 would mean that the slot is free, or not shown yet. */
function kept(lane: number): number {
  return (lane | 0) === 0 ? 1 : lane | 0;
}

/** The slots for a number of states: half full at most. */
export function capacityFor(states: number): number {
  let capacity = CAPACITY_MIN;
  while (capacity < states * 2) capacity *= 2;
  return capacity;
}

/** The slots of the table that takes the place of a full one. */
export function grownFrom(capacity: number): number {
  if (capacity < 1 << 19) return capacity * 16;
  return capacity * (capacity < 1 << 22 ? 8 : 2);
}

/** True if the table should grow. */
export function isFull(states: number, capacity: number): boolean {
  return states * 3 > capacity * 2;
}
