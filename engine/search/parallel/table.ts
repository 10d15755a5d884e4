import type { Seen } from '../seen.ts';

/** Words of an entry: two lanes of a fingerprint, and the agents asleep. */
const ENTRY = 3;
/** Most fingerprints in the cache of recent ones: 256 KB, which stays in a core's own cache. */
const RECENT_MAX = 1 << 15;
/** Slots of the smallest table: what threads add between two looks at how full it is must find place. */
const CAPACITY_MIN = 1 << 15;
/** Slots that a thread moves at a time when the table grows. */
const PART = 1 << 12;

/**
 * A set of 64-bit fingerprints in memory that several threads share: open addressing with linear probing. A slot is taken by
 * exchanging its first lane against 0, and then shown by writing its second: whoever meets a taken slot that is not yet
 * shown waits for that. So each fingerprint is new to exactly one thread, and nothing is ever locked.
 *
 * With each goes the set of agents that slept at every visit to its state. It only shrinks.
 *
 * The table does not grow by itself: `moveTo` moves it into a larger one, while nobody visits.
 */
export class SharedTable implements Seen {
  readonly keepsSleep = true;
  /** Number of states that were new to this thread. */
  size = 0;
  asleep = 0;
  #words: Int32Array;
  #mask: number;
  /** Fingerprints visited last, of states of which nothing is left to explore. This thread's own. */
  #recent = new Int32Array(0);
  #recentMask = 0;

  /** @param memory as made by `memoryFor`. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#mask = this.#words.length / ENTRY - 1;
    this.#forgetRecent();
  }

  /** Memory for a table of `capacity` slots, a power of two. @throws RangeError if there is not so much. */
  static memoryFor(capacity: number): SharedArrayBuffer {
    return new SharedArrayBuffer(capacity * ENTRY * 4);
  }

  /** Number of slots; two thirds of them may be used. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /** `Seen.visit`. */
  visit(low: number, high: number, asleep: number): number {
    // A lane of 0 would mean that the slot is free, or not shown.
    const lane0 = (low | 0) === 0 ? 1 : low | 0;
    const lane1 = (high | 0) === 0 ? 1 : high | 0;
    const recent = this.#recent;
    const near = (lane1 & this.#recentMask) * 2;
    if (recent[near] === lane0 && recent[near + 1] === lane1) return 0;
    const words = this.#words;
    const mask = this.#mask;
    for (let slot = (lane0 ^ Math.imul(lane1, 0x9e3779b1)) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * ENTRY;
      let found = words[at] as number;
      if (found === 0) {
        found = Atomics.compareExchange(words, at, 0, lane0);
        if (found === 0) {
          words[at + 2] = asleep;
          Atomics.store(words, at + 1, lane1);
          if (asleep === 0) this.#remember(near, lane0, lane1);
          this.size++;
          return -1;
        }
      }
      if (found !== lane0) continue;
      let shown = 0;
      while (shown === 0) shown = Atomics.load(words, at + 1);
      if (shown !== lane1) continue;
      const slept = words[at + 2] === 0 ? 0 : Atomics.and(words, at + 2, asleep);
      this.asleep = slept & asleep;
      if (this.asleep === 0) this.#remember(near, lane0, lane1);
      return slept & ~asleep;
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
    const capacity = this.#mask + 1;
    this.#words = new Int32Array(memory);
    this.#mask = this.#words.length / ENTRY - 1;
    for (let from = nextPart() * PART; from < capacity; from = nextPart() * PART)
      this.fill(old.subarray(from * ENTRY, Math.min(from + PART, capacity) * ENTRY));
    this.#forgetRecent();
    moved();
  }

  /** All entries, three words each, in any order. Nobody may be visiting. */
  entries(): Int32Array {
    const words = this.#words;
    let count = 0;
    for (let at = 0; at < words.length; at += ENTRY) if (words[at] !== 0) count++;
    const entries = new Int32Array(count * ENTRY);
    for (let at = 0, next = 0; at < words.length; at += ENTRY) {
      if (words[at] === 0) continue;
      entries[next++] = words[at] as number;
      entries[next++] = words[at + 1] as number;
      entries[next++] = words[at + 2] as number;
    }
    return entries;
  }

  /** Adds entries that are not there. */
  fill(entries: Int32Array): void {
    const words = this.#words;
    const mask = this.#mask;
    for (let from = 0; from < entries.length; from += ENTRY) {
      const lane0 = entries[from] as number;
      if (lane0 === 0) continue;
      const lane1 = entries[from + 1] as number;
      let slot = (lane0 ^ Math.imul(lane1, 0x9e3779b1)) & mask;
      while (words[slot * ENTRY] !== 0 || Atomics.compareExchange(words, slot * ENTRY, 0, lane0) !== 0)
        slot = (slot + 1) & mask;
      words[slot * ENTRY + 1] = lane1;
      words[slot * ENTRY + 2] = entries[from + 2] as number;
    }
  }

  #remember(near: number, lane0: number, lane1: number): void {
    this.#recent[near] = lane0;
    this.#recent[near + 1] = lane1;
  }

  #forgetRecent(): void {
    const size = Math.min(RECENT_MAX, this.capacity >> 2);
    this.#recent = new Int32Array(size * 2);
    this.#recentMask = size - 1;
  }
}

/** The slots for a number of states: half full at most. */
export function capacityFor(states: number): number {
  let capacity = CAPACITY_MIN;
  while (capacity < states * 2) capacity *= 2;
  return capacity;
}

/** True if the table should grow. */
export function isFull(states: number, capacity: number): boolean {
  return states * 3 > capacity * 2;
}
