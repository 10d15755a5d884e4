import { ENTRY_WORDS, highMask, lowMask, META, OUTPUT_HIGH_MASK, sizeBit, smallestSize, WORD } from './entry.ts';
import type { TaggedEntries, Tags } from './tags.ts';

/** Size of a cache. */
export interface CacheSize {
  /** Number of sets: a power of two. */
  readonly sets: number;
  /** Entries of a set: 1 to 8. */
  readonly ways: number;
}

/** Bits of a place that are a way; the others are a set. */
const WAY_BITS = 3;
const WAY_MASK = (1 << WAY_BITS) - 1;

/**
 * Sets of entries that cover an aligned, power-of-two sized part of an address space, tagged by ids of `Tags`. All of it
 * is in one typed array, of which an entry is eight words. Entries of all sizes share the sets: a lookup probes those
 * sizes that the context has had since its last generation.
 *
 * A key has a set, and a way of it with which the search begins and where it is put if that is free. So most hits are
 * found at the first look: at random over many entries, a guess less and a cache line less than going through the set
 * from its beginning.
 */
export abstract class TaggedSets<T extends Tags = Tags> implements TaggedEntries {
  readonly tags: T;
  readonly words: Int32Array;
  readonly ways: number;
  protected readonly sets: number;
  /** For each context the sizes of its entries, the largest source (or 0) of those cut from one, and the id for that. */
  protected readonly sizes: Int32Array;
  protected readonly widest: Uint8Array;
  protected readonly sizesId: Int32Array;
  readonly #setBits: number;

  constructor(tags: T, { sets, ways }: CacheSize) {
    const bits = 31 - Math.clz32(sets);
    if (sets !== 2 ** bits || bits > 24) throw new RangeError(`${sets} sets are not a power of two`);
    if (!Number.isInteger(ways) || ways < 1 || ways > 8) throw new RangeError(`a set has 1 to 8 ways, not ${ways}`);
    this.tags = tags;
    this.sets = sets;
    this.ways = ways;
    this.#setBits = bits;
    this.words = new Int32Array(sets * ways * ENTRY_WORDS);
    this.sizes = new Int32Array(tags.contexts);
    this.widest = new Uint8Array(tags.contexts);
    this.sizesId = new Int32Array(tags.contexts);
    tags.attach(this);
  }

  /** Number of entries that can be held. */
  get capacity(): number {
    return this.sets * this.ways;
  }

  /** Number of entries that may still be found; costs a pass over all entries. */
  resident(): number {
    let count = 0;
    for (let at = 0; at < this.words.length; at += ENTRY_WORDS) if (this.tags.isLive(this.words[at] as number)) count++;
    return count;
  }

  /** log2 of the number of bytes that an entry covers. */
  shift(entry: number): number {
    return this.shiftAt(entry * ENTRY_WORDS);
  }

  /** Level of the descriptor that an entry was made from. */
  level(entry: number): number {
    return ((this.words[entry * ENTRY_WORDS + WORD.OUTPUT_LOW] as number) >>> META.LEVEL) & 3;
  }

  /** log2 of the granule that an entry was made with. */
  granule(entry: number): number {
    return 10 + 2 * (((this.words[entry * ENTRY_WORDS + WORD.OUTPUT_LOW] as number) >>> META.GRANULE) & 3);
  }

  /** As given at the fill. */
  permissions(entry: number): number {
    return this.words[entry * ENTRY_WORDS + WORD.PERMISSIONS] as number;
  }

  /** As given at the fill. */
  attributes(entry: number): number {
    return this.words[entry * ENTRY_WORDS + WORD.ATTRIBUTES] as number;
  }

  /** As given at the fill: for the device's own use. */
  extra(entry: number): number {
    return this.words[entry * ENTRY_WORDS + WORD.EXTRA] as number;
  }

  /** Output address for an input address that the entry covers. */
  output(entry: number, low: number, high: number): number {
    const { words } = this;
    const at = entry * ENTRY_WORDS;
    const shift = (words[at + WORD.ADDRESS_LOW] as number) & 63;
    const maskLow = lowMask(shift);
    const maskHigh = highMask(shift);
    const outputLow = ((words[at + WORD.OUTPUT_LOW] as number) & maskLow) | (low & ~maskLow);
    const outputHigh = ((words[at + WORD.OUTPUT_HIGH] as number) & OUTPUT_HIGH_MASK & maskHigh) | (high & ~maskHigh);
    return outputHigh * 2 ** 32 + (outputLow >>> 0);
  }

  /** Forgets everything. */
  clear(): void {
    this.words.fill(0);
    this.sizesId.fill(0);
  }

  forgetContext(context: number): void {
    const mask = this.tags.contextMask;
    for (let at = 0; at < this.words.length; at += ENTRY_WORDS)
      if (((this.words[at] as number) & mask) === context) this.words[at] = 0;
    this.sizesId[context] = 0;
  }

  /** Sizes that the entries with an id may have. */
  protected sizesOf(id: number): number {
    const context = id & this.tags.contextMask;
    return this.sizesId[context] === id ? (this.sizes[context] as number) : 0;
  }

  /** The entry of an id for an address, of one of some sizes, smallest first; -1 if there is none. */
  protected probe(id: number, sizes: number, low: number, high: number): number {
    const { words, ways } = this;
    for (let left = sizes; left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const keyLow = (low & this.keyMaskLow(shift)) | shift;
      const keyHigh = high & this.keyMaskHigh(shift);
      const place = this.placeOf(id, shift, keyLow, keyHigh);
      const first = (place >>> WAY_BITS) * ways;
      let way = place & WAY_MASK;
      for (let looks = ways; looks > 0; looks--) {
        const at = (first + way) * ENTRY_WORDS;
        if (this.matches(words, at, id, keyLow, keyHigh)) {
          this.touch(at);
          return first + way;
        }
        way = way + 1 === ways ? 0 : way + 1;
      }
    }
    return -1;
  }

  /** Whether an entry has some id and key. */
  protected matches(words: Int32Array, at: number, id: number, keyLow: number, keyHigh: number): boolean {
    return words[at] === id && words[at + 1] === keyLow && words[at + 2] === keyHigh;
  }

  /** Which bits of an address the entries of a size are compared on. */
  protected keyMaskLow(shift: number): number {
    return lowMask(shift);
  }

  /** See `keyMaskLow`. */
  protected keyMaskHigh(shift: number): number {
    return highMask(shift);
  }

  /**
   * The set of a key, times 8, and the way where to look first. Pages side by side are in sets side by side, so that a walk
   * through a buffer and the invalidation of a range go through memory in order; higher bits are folded in, so that no
   * stride maps to few sets.
   */
  protected placeOf(id: number, shift: number, keyLow: number, keyHigh: number): number {
    const page = shift < 32 ? (keyLow >>> shift) | (keyHigh << (32 - shift)) : keyHigh >>> (shift - 32);
    const context = Math.imul((id & this.tags.contextMask) + (shift << 24), 0x9e3779b1) >>> 7;
    const above = page >>> this.#setBits;
    const set = ((page ^ above ^ Math.imul(keyHigh >>> 8, 0x85ebca6b)) + context) & (this.sets - 1);
    // Pages that share a set differ above, so they begin at different ways: multiples of 5 go through all of them.
    const way = ((Math.imul(above + (context >>> 17), 5) & WAY_MASK) * this.ways) >>> WAY_BITS;
    return (set << WAY_BITS) | way;
  }

  /**
   * Takes an entry for a key, the one that has it already if there is one, and writes the key.
   *
   * @param id of the tag, as it is now.
   * @param source log2 of the size of what the entry was cut from, which matters if that is larger.
   * @returns the entry; the caller writes the other words.
   */
  protected take(id: number, shift: number, source: number, low: number, high: number): number {
    const { words } = this;
    const keyLow = (low & lowMask(shift)) | shift;
    const keyHigh = high & highMask(shift);
    const place = this.placeOf(id, shift, keyLow, keyHigh);
    let entry = this.present(place, id, keyLow, keyHigh);
    if (entry < 0) entry = this.victim(place);
    const at = entry * ENTRY_WORDS;
    words[at] = id;
    words[at + WORD.ADDRESS_LOW] = keyLow;
    words[at + WORD.ADDRESS_HIGH] = keyHigh;
    this.#noteSize(id, shift, source);
    this.touch(at);
    return entry;
  }

  /** The entry that a fill takes the place of, or -1: without this, one key would have two entries. */
  protected present(place: number, id: number, keyLow: number, keyHigh: number): number {
    return this.entryWith(place, id, keyLow, keyHigh);
  }

  /** The entry that has a key, or -1. */
  protected entryWith(place: number, id: number, keyLow: number, keyHigh: number): number {
    const first = (place >>> WAY_BITS) * this.ways;
    for (let entry = first; entry < first + this.ways; entry++)
      if (this.matches(this.words, entry * ENTRY_WORDS, id, keyLow, keyHigh)) return entry;
    return -1;
  }

  /** The entry to replace: one that is free or can no longer be found, else one that was not used lately. */
  protected victim(place: number): number {
    const { words, ways, tags } = this;
    const first = (place >>> WAY_BITS) * ways;
    const start = place & WAY_MASK;
    let old = -1;
    for (let looks = 0; looks < ways; looks++) {
      const entry = first + (start + looks < ways ? start + looks : start + looks - ways);
      const id = words[entry * ENTRY_WORDS] as number;
      if (id === 0 || !tags.isLive(id)) return entry;
      if (old < 0 && (words[entry * ENTRY_WORDS + WORD.OUTPUT_HIGH] as number) >= 0) old = entry;
    }
    if (old >= 0) return old;
    // All were used: from now on all are old.
    for (let entry = first; entry < first + ways; entry++) {
      const at = entry * ENTRY_WORDS + WORD.OUTPUT_HIGH;
      words[at] = (words[at] as number) & OUTPUT_HIGH_MASK;
    }
    return first + start;
  }

  /** Notes a use of the entry at some word. */
  protected touch(at: number): void {
    const word = this.words[at + WORD.OUTPUT_HIGH] as number;
    if (word >= 0) this.words[at + WORD.OUTPUT_HIGH] = word | (1 << 31);
  }

  /** Writes an output address, whose low 12 bits are not part of it, to the entry at some word. */
  protected writeOutput(at: number, low: number, high: number, meta: number): void {
    this.words[at + WORD.OUTPUT_LOW] = (low & -4096) | meta;
    this.words[at + WORD.OUTPUT_HIGH] = (high & OUTPUT_HIGH_MASK) | (1 << 31);
  }

  /** log2 of the size of the entry at some word. */
  protected shiftAt(at: number): number {
    return (this.words[at + WORD.ADDRESS_LOW] as number) & 63;
  }

  /** First page of 4 KiB of the entry at some word. */
  protected pageAt(at: number): number {
    const low = this.words[at + WORD.ADDRESS_LOW] as number;
    return ((this.words[at + WORD.ADDRESS_HIGH] as number) >>> 0) * 2 ** 20 + (low >>> 12);
  }

  #noteSize(id: number, shift: number, source: number): void {
    const context = id & this.tags.contextMask;
    if (this.sizesId[context] !== id) {
      this.sizesId[context] = id;
      this.sizes[context] = 0;
      this.widest[context] = 0;
    }
    this.sizes[context] = (this.sizes[context] as number) | sizeBit(shift);
    if (source > shift && source > (this.widest[context] as number)) this.widest[context] = source;
  }
}
