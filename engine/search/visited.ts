import type { Seen } from './seen.ts';

/** Most fingerprints in the cache of recent ones: 256 KB, which stays in a core's own cache. */
const RECENT_MAX = 1 << 15;
/** Slots above which the table lives in memory that grows in place. */
const GROWS_IN_PLACE = 1 << 20;
/** Slots beyond the last home, so that probing never wraps round. */
const MARGIN = 1 << 10;
/** Slots that are moved at a time when the table grows in place. */
const BLOCK = 1 << 16;
/** Bytes of a slot, and of a page of memory. */
const SLOT = 8;
const PAGE = 1 << 16;
/** Most pages: 4 GB of addresses are set aside, and no memory. */
const PAGES_MAX = 1 << 16;

/**
 * Memory that grows where it is, so that a table never exists twice. Its pages take no room until they are used. It is shared
 * memory, though nobody shares it: any other is detached from its old array when it grows, and from then on all compiled
 * code that uses typed arrays is thrown away and made again to expect that.
 */
interface Growing {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Memory: new (size: {
      readonly initial: number;
      readonly maximum: number;
      readonly shared: true;
    }) => Growing;
  };
};

/**
 * A set of 64-bit fingerprints: open addressing with linear probing over interleaved lanes. A fingerprint's home is its lane
 * 0, scaled to the number of slots; so homes are in the order of lane 0, growing is one sweep through memory, and the table
 * can grow by a half, in place. It starts small, because touching fresh pages costs more than moving what is there.
 */
export class Visited implements Seen {
  /** Number of fingerprints in the set. */
  size = 0;
  #table: Int32Array;
  #memory: Growing | undefined;
  #slots: number;
  /** Slots for each value of lane 0. */
  #scale: number;
  #sizeMax: number;
  /**
   * Most states are reached again soon after the first time, by steps that commute. Unless such steps are left out, a small
   * cache of what was asked for last saves most of the table's misses in the processor's caches: 15 % of a search.
   */
  #recent: Int32Array | undefined;
  #recentMask = (1 << 7) - 1;

  /**
   * @param capacity slots at first.
   * @param cached with a cache in front: worth it if most of what is asked for is known.
   */
  constructor(capacity = 1 << 12, cached = false) {
    this.#recent = cached ? new Int32Array(1 << 8) : undefined;
    this.#slots = capacity;
    this.#scale = capacity / 2 ** 32;
    this.#sizeMax = most(capacity);
    this.#table = new Int32Array((capacity + MARGIN) * 2);
  }

  /** Bytes that the set takes. */
  get bytes(): number {
    return this.#table.byteLength;
  }

  /** `Seen.visit`. */
  visit(low: number, high: number): boolean {
    const lane0 = low | 0;
    const lane1 = (low | high) === 0 ? 1 : high | 0;
    const recent = this.#recent;
    if (recent !== undefined) {
      const near = (lane1 & this.#recentMask) * 2;
      if (recent[near] === lane0 && recent[near + 1] === lane1) return false;
      recent[near] = lane0;
      recent[near + 1] = lane1;
    }
    const table = this.#table;
    let at = (((lane0 >>> 0) * this.#scale) | 0) << 1;
    for (;;) {
      const low0 = table[at] as number;
      const high0 = table[at + 1] as number;
      if (low0 === lane0 && high0 === lane1) return false;
      if ((low0 | high0) === 0) break;
      at += 2;
    }
    table[at] = lane0;
    table[at + 1] = lane1;
    if (++this.size > this.#sizeMax || at + 4 > table.length) this.#grow();
    return true;
  }

  #grow(): void {
    const slots = this.#slots < GROWS_IN_PLACE ? this.#slots * 2 : Math.floor(this.#slots * 1.5);
    const old = this.#table;
    const used = (this.#slots + MARGIN) * 2;
    if (this.#recent !== undefined && this.#recentMask < RECENT_MAX - 1) {
      this.#recentMask = this.#recentMask * 2 + 1;
      this.#recent = new Int32Array((this.#recentMask + 1) * 2);
    }
    this.#slots = slots;
    this.#scale = slots / 2 ** 32;
    this.#sizeMax = most(slots);
    if (slots < GROWS_IN_PLACE) {
      this.#table = new Int32Array((slots + MARGIN) * 2);
      return this.#insert(old, used);
    }
    const pages = Math.ceil(((slots + MARGIN) * SLOT) / PAGE);
    if (this.#memory === undefined) {
      this.#memory = new WebAssembly.Memory({ initial: pages, maximum: PAGES_MAX, shared: true });
      this.#table = new Int32Array(this.#memory.buffer, 0, (slots + MARGIN) * 2);
      return this.#insert(old, used);
    }
    this.#memory.grow(pages - this.#memory.buffer.byteLength / PAGE);
    this.#table = new Int32Array(this.#memory.buffer, 0, (slots + MARGIN) * 2);
    this.#spread(used);
    return undefined;
  }

  /**
   * Moves every fingerprint to its new place, block by block from the end: the new homes of a block are behind all that has
   * not been moved, but for the first blocks, which are moved together at last.
   */
  #spread(used: number): void {
    const table = this.#table;
    const block = new Int32Array(BLOCK * 2 * 4);
    for (let end = used; end > 0;) {
      const from = end <= block.length ? 0 : end - BLOCK * 2;
      const part = block.subarray(0, end - from);
      part.set(table.subarray(from, end));
      table.fill(0, from, end);
      this.#insert(part, part.length);
      end = from;
    }
  }

  #insert(from: Int32Array, length: number): void {
    const table = this.#table;
    const scale = this.#scale;
    for (let index = 0; index < length; index += 2) {
      const low = from[index] as number;
      const high = from[index + 1] as number;
      if ((low | high) === 0) continue;
      let at = (((low >>> 0) * scale) | 0) << 1;
      while (((table[at] as number) | (table[at + 1] as number)) !== 0) at += 2;
      table[at] = low;
      table[at + 1] = high;
    }
  }
}

/** Most fingerprints for a number of slots. */
function most(slots: number): number {
  return Math.floor(slots * 0.75);
}
