import type { CacheSize } from './tagged-sets.ts';
import type { TaggedEntries, Tags } from './tags.ts';

const KEY_WORDS = 3;

/**
 * A set-associative cache of configuration structures, copies of some 32-bit lanes of memory each. A key is the id of a
 * tag, the first index that the structure serves, and log2 of the number of indices.
 */
export class ConfigSets implements TaggedEntries {
  /** The copies: those of an entry start at `entry * lanes`. */
  readonly copies: Int32Array;
  readonly lanes: number;
  readonly sets: number;
  readonly ways: number;
  protected readonly keys: Int32Array;
  protected readonly tags: Tags;
  readonly #recent: Uint8Array;

  /** @param lanes lanes of a structure. */
  constructor(tags: Tags, lanes: number, { sets, ways }: CacheSize) {
    if ((sets & (sets - 1)) !== 0 || sets < 1) throw new RangeError(`${sets} sets are not a power of two`);
    if (!Number.isInteger(ways) || ways < 1 || ways > 8) throw new RangeError(`a set has 1 to 8 ways, not ${ways}`);
    this.tags = tags;
    this.lanes = lanes;
    this.sets = sets;
    this.ways = ways;
    this.keys = new Int32Array(sets * ways * KEY_WORDS);
    this.copies = new Int32Array(sets * ways * lanes);
    this.#recent = new Uint8Array(sets);
    tags.attach(this);
  }

  /** Whether an entry may still be found. */
  isLive(entry: number): boolean {
    return this.tags.isLive(this.keys[entry * KEY_WORDS] as number);
  }

  /** The entry with a key, or -1. */
  find(id: number, index: number, span: number): number {
    const { keys, ways } = this;
    const set = this.setOf(id, index, span);
    let at = set * ways * KEY_WORDS;
    for (let way = 0; way < ways; way++, at += KEY_WORDS)
      if (keys[at] === id && keys[at + 1] === (index | 0) && keys[at + 2] === span) {
        this.#touch(set, way);
        return set * ways + way;
      }
    return -1;
  }

  /** Takes an entry for a key, the one that has it already if there is one; the caller writes the copy. */
  take(id: number, index: number, span: number): number {
    const { keys, ways } = this;
    let entry = this.find(id, index, span);
    if (entry >= 0) return entry;
    const set = this.setOf(id, index, span);
    const way = this.victim(set);
    entry = set * ways + way;
    const at = entry * KEY_WORDS;
    keys[at] = id;
    keys[at + 1] = index;
    keys[at + 2] = span;
    this.#touch(set, way);
    return entry;
  }

  /** Drops the entry with a key, if there is one. */
  drop(id: number, index: number, span: number): void {
    const entry = this.find(id, index, span);
    if (entry >= 0) this.keys[entry * KEY_WORDS] = 0;
  }

  /** Drops the entries with an id that serve some of `count` indices from `first`; costs a pass over all entries. */
  dropOverlapping(id: number, first: number, count: number): void {
    const { keys } = this;
    for (let at = 0; at < keys.length; at += KEY_WORDS) {
      if (keys[at] !== id) continue;
      const index = (keys[at + 1] as number) >>> 0;
      if (index < first + count && first < index + 2 ** (keys[at + 2] as number)) keys[at] = 0;
    }
  }

  forgetContext(context: number): void {
    const { keys, tags } = this;
    for (let at = 0; at < keys.length; at += KEY_WORDS)
      if (((keys[at] as number) & tags.contextMask) === context) keys[at] = 0;
  }

  protected setOf(id: number, index: number, span: number): number {
    const mixed = Math.imul(index ^ (index >>> 16) ^ (span << 26), 0x9e3779b1);
    return ((mixed >>> 15) + Math.imul(id & this.tags.contextMask, 0x85ebca6b)) & (this.sets - 1);
  }

  /** The way of a set to replace: one that is free or can no longer be found, else one that was not used lately. */
  protected victim(set: number): number {
    const { keys, ways, tags } = this;
    let at = set * ways * KEY_WORDS;
    for (let way = 0; way < ways; way++, at += KEY_WORDS) {
      const id = keys[at] as number;
      if (id === 0 || !tags.isLive(id)) return way;
    }
    return 31 - Math.clz32(~(this.#recent[set] as number) & ((1 << ways) - 1));
  }

  #touch(set: number, way: number): void {
    const after = (this.#recent[set] as number) | (1 << way);
    if (after !== (1 << this.ways) - 1) this.#recent[set] = after;
    else this.#recent[set] = this.ways === 1 ? 0 : 1 << way;
  }
}
