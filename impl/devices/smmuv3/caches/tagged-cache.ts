import type { TaggedEntries, Tags } from './tags.ts';

/** Size of a cache. */
export interface CacheSize {
  /** Number of sets: a power of two. */
  readonly sets: number;
  /** Entries of a set: 1 to 8. */
  readonly ways: number;
}

/** Words of 32 bits of an entry. */
export const ENTRY_WORDS = 8;

/**
 * Words of an entry. The first three are its key: it covers 2^shift bytes from an input address that is a multiple of
 * that. The rest belongs to the kind of cache.
 */
export const WORD = {
  /** Id of its tag; 0 in an entry that is free. */
  ID: 0,
  /** Low lane of the input address; its low 6 bits hold the shift. */
  ADDRESS_LOW: 1,
  ADDRESS_HIGH: 2,
  /** Low lane of the output address; its low 12 bits hold `META`. */
  OUTPUT_LOW: 3,
  OUTPUT_HIGH: 4,
  PERMISSIONS: 5,
  ATTRIBUTES: 6,
  EXTRA: 7,
} as const;

/** Fields in the low 12 bits of `WORD.OUTPUT_LOW`, as positions of their lowest bits. */
export const META = {
  /** 6 bits: log2 of the size of the leaf that the entry was cut from; see `Iotlb`. */
  SOURCE: 0,
  /** 2 bits: level of the descriptor. */
  LEVEL: 6,
  /** 2 bits: 1, 2, 3 for granules of 4, 16, 64 KiB. */
  GRANULE: 8,
  /** 2 bits: of the kind of cache. */
  KIND: 10,
} as const;

/** What an invalidation by address covers (IHI 0070 §4.4.1). Counts and first pages are of 4 KiB, below 2^52. */
export interface AddressRange {
  readonly firstPage: number;
  readonly pages: number;
  /** Only entries of the last level of a walk. */
  readonly leaf: boolean;
  /** log2 of the granule that entries must have been made with; 0 for any. */
  readonly granule: number;
  /** Level of the leaf entries meant; 0 for any. */
  readonly level: number;
}

/** What of an access of 2^shift bytes is address of the entry, low lane and high lane. */
function lowMask(shift: number): number {
  return shift < 32 ? -1 << shift : 0;
}

function highMask(shift: number): number {
  return shift <= 32 ? -1 : -1 << (shift - 32);
}

/** Bit of a size in the masks of sizes; sizes are 2^12 to 2^42, and 2^47 (a table of level 1 with a 16 KiB granule). */
function sizeBit(shift: number): number {
  return 1 << Math.min(shift - 12, 31);
}

/** Smallest size of a mask that is not zero. */
export function smallestSize(mask: number): number {
  const bit = 31 - Math.clz32(mask & -mask);
  return bit === 31 ? 47 : bit + 12;
}

/**
 * A set-associative cache of things that cover an aligned, power-of-two sized part of an address space, tagged by ids of
 * `Tags`. All of it is in typed arrays, and an entry is a line of eight words in one of them. Entries of all sizes share
 * the sets: a lookup probes those sizes that the context has had since its last generation.
 */
export abstract class TaggedCache<T extends Tags = Tags> implements TaggedEntries {
  readonly tags: T;
  readonly words: Int32Array;
  readonly ways: number;
  protected readonly sets: number;
  /** For each context the sizes of its entries, the size of its largest source, and the id for which that is so. */
  protected readonly sizes: Int32Array;
  protected readonly widest: Uint8Array;
  protected readonly sizesId: Int32Array;
  /** For each set, a bit for each way that was used lately. */
  protected readonly recent: Uint8Array;
  readonly #setBits: number;
  readonly #inScope: Uint8Array;
  readonly #scope: Int32Array;
  #scopeCount = 0;

  constructor(tags: T, { sets, ways }: CacheSize) {
    const bits = 31 - Math.clz32(sets);
    if (sets !== 2 ** bits) throw new RangeError(`${sets} sets are not a power of two`);
    if (!Number.isInteger(ways) || ways < 1 || ways > 8) throw new RangeError(`a set has 1 to 8 ways, not ${ways}`);
    this.tags = tags;
    this.sets = sets;
    this.ways = ways;
    this.#setBits = bits;
    this.words = new Int32Array(sets * ways * ENTRY_WORDS);
    this.recent = new Uint8Array(sets);
    this.sizes = new Int32Array(tags.contexts);
    this.widest = new Uint8Array(tags.contexts);
    this.sizesId = new Int32Array(tags.contexts);
    this.#inScope = new Uint8Array(tags.contexts);
    this.#scope = new Int32Array(tags.contexts);
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
    return (this.words[entry * ENTRY_WORDS + WORD.ADDRESS_LOW] as number) & 63;
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

  /** Sizes of the entries of a context with its id of now. */
  protected sizesOf(context: number, id: number): number {
    return this.sizesId[context] === id ? (this.sizes[context] as number) : 0;
  }

  /** The entry of an id for an address, of one of some sizes, smallest first; -1 if there is none. */
  protected probe(id: number, sizes: number, low: number, high: number): number {
    const { words, ways } = this;
    for (let left = sizes; left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const keyLow = (low & this.keyMaskLow(shift)) | shift;
      const keyHigh = high & this.keyMaskHigh(shift);
      const set = this.setOf(id, shift, keyLow, keyHigh);
      let at = set * ways * ENTRY_WORDS;
      for (let way = 0; way < ways; way++, at += ENTRY_WORDS)
        if (this.matches(words, at, id, keyLow, keyHigh)) {
          this.touch(set, way);
          return set * ways + way;
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

  protected keyMaskHigh(shift: number): number {
    return highMask(shift);
  }

  /**
   * The set of a key. Pages side by side are in sets side by side, so that a walk through a buffer and the invalidation
   * of a range go through memory in order; higher bits are folded in, so that no stride maps to few sets.
   */
  protected setOf(id: number, shift: number, keyLow: number, keyHigh: number): number {
    const page = shift < 32 ? (keyLow >>> shift) | (keyHigh << (32 - shift)) : keyHigh >>> (shift - 32);
    const context = Math.imul((id & this.tags.contextMask) + (shift << 24), 0x9e3779b1);
    const bits = this.#setBits;
    const folded = page ^ (page >>> bits) ^ Math.imul(keyHigh >>> 8, 0x85ebca6b);
    return (folded + (context >>> 7)) & (this.sets - 1);
  }

  /**
   * Takes an entry for a key, the one that has it already if there is one, and writes the key.
   *
   * @returns the entry; the caller writes the other words.
   */
  protected take(context: number, shift: number, source: number, low: number, high: number): number {
    const { words, ways } = this;
    const id = this.tags.idOf(context);
    const keyLow = (low & lowMask(shift)) | shift;
    const keyHigh = high & highMask(shift);
    const set = this.setOf(id, shift, keyLow, keyHigh);
    let way = this.wayWith(set, id, keyLow, keyHigh);
    if (way < 0) way = this.victim(set);
    const entry = set * ways + way;
    const at = entry * ENTRY_WORDS;
    words[at] = id;
    words[at + WORD.ADDRESS_LOW] = keyLow;
    words[at + WORD.ADDRESS_HIGH] = keyHigh;
    if (this.sizesId[context] !== id) {
      this.sizesId[context] = id;
      this.sizes[context] = 0;
      this.widest[context] = 0;
    }
    this.sizes[context] = (this.sizes[context] as number) | sizeBit(shift);
    if (source > (this.widest[context] as number)) this.widest[context] = source;
    this.touch(set, way);
    return entry;
  }

  /** The way of a set that has a key already, or -1: without this, one address would have two entries. */
  protected wayWith(set: number, id: number, keyLow: number, keyHigh: number): number {
    let at = set * this.ways * ENTRY_WORDS;
    for (let way = 0; way < this.ways; way++, at += ENTRY_WORDS)
      if (this.matches(this.words, at, id, keyLow, keyHigh)) return way;
    return -1;
  }

  /** The way of a set to replace: one that is free or can no longer be found, else one that was not used lately. */
  protected victim(set: number): number {
    const { words, ways, tags } = this;
    let at = set * ways * ENTRY_WORDS;
    for (let way = 0; way < ways; way++, at += ENTRY_WORDS) {
      const id = words[at] as number;
      if (id === 0 || !tags.isLive(id)) return way;
    }
    return 31 - Math.clz32(~(this.recent[set] as number) & ((1 << ways) - 1));
  }

  /** Notes a use. The last of the ways of a set to be used makes all others old. */
  protected touch(set: number, way: number): void {
    const before = this.recent[set] as number;
    const after = before | (1 << way);
    if (after === before) return;
    if (after !== (1 << this.ways) - 1) this.recent[set] = after;
    else this.recent[set] = this.ways === 1 ? 0 : 1 << way;
  }

  /** Adds a context to what the invalidation that is being made acts on. */
  protected scopeContext(space: number, code: number): void {
    const context = this.tags.find(space, code);
    if (context >= 0) this.#addToScope(context);
  }

  /** Adds all contexts of a space. */
  protected scopeSpace(space: number): void {
    for (let context = this.tags.first(space); context >= 0; context = this.tags.after(context))
      this.#addToScope(context);
  }

  /**
   * Drops the entries of the scope that a range covers: probes each entry that there could be, or goes through all
   * entries where that is cheaper. Ends the scope.
   */
  protected dropRange(range: AddressRange): void {
    this.tags.epoch++;
    let probes = 0;
    for (let at = 0; at < this.#scopeCount; at++) probes += this.#probes(this.#scope[at] as number, range);
    if (probes > this.sets) this.#sweep(range);
    else if (probes > 0)
      for (let at = 0; at < this.#scopeCount; at++) this.#probeRange(this.#scope[at] as number, range);
    this.#scopeCount = 0;
  }

  /** Whether an invalidation is required to drop the entry at some word, given that its tag is in the scope. */
  protected abstract covers(range: AddressRange, at: number): boolean;

  /** Whether an entry that covers `pages` from `page` has a part in a range. */
  protected overlaps(range: AddressRange, page: number, pages: number): boolean {
    return page < range.firstPage + range.pages && range.firstPage < page + pages;
  }

  /** First page of 4 KiB of an entry. */
  protected pageAt(at: number): number {
    const { words } = this;
    return (
      ((words[at + WORD.ADDRESS_HIGH] as number) >>> 0) * 2 ** 20 + ((words[at + WORD.ADDRESS_LOW] as number) >>> 12)
    );
  }

  /** log2 of the size of the entry at some word. */
  protected shiftAt(at: number): number {
    return (this.words[at + WORD.ADDRESS_LOW] as number) & 63;
  }

  /** Whether an entry was made with the granule that a range asks for. */
  protected granuleFits(range: AddressRange, at: number): boolean {
    return (
      range.granule === 0 ||
      (((this.words[at + WORD.OUTPUT_LOW] as number) >>> META.GRANULE) & 3) === (range.granule - 10) >> 1
    );
  }

  #addToScope(context: number): void {
    const id = this.tags.idOf(context);
    if (this.sizesOf(context, id) !== 0) this.#scope[this.#scopeCount++] = context;
  }

  /** Number of probes that a range costs in a context. */
  #probes(context: number, range: AddressRange): number {
    let probes = 0;
    for (let left = this.sizes[context] as number; left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const units = Math.floor((range.firstPage + range.pages - 1) / unit) - Math.floor(range.firstPage / unit) + 1;
      probes += units * (unit / 2 ** (shift - 12));
    }
    return probes;
  }

  /**
   * Entries of a size that a range covers lie in the blocks of this many pages that the range touches. Where an entry
   * was cut from a larger source, an address anywhere in the source is meant.
   */
  protected windowUnit(context: number, shift: number): number {
    return 2 ** (Math.max(shift, this.widest[context] as number) - 12);
  }

  #probeRange(context: number, range: AddressRange): void {
    const id = this.tags.idOf(context);
    for (let left = this.sizes[context] as number; left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const step = 2 ** (shift - 12);
      const end = (Math.floor((range.firstPage + range.pages - 1) / unit) + 1) * unit;
      for (let page = Math.floor(range.firstPage / unit) * unit; page < end; page += step)
        this.#dropPage(id, shift, page, range);
    }
  }

  #dropPage(id: number, shift: number, page: number, range: AddressRange): void {
    const { words, ways } = this;
    const keyLow = ((page % 2 ** 20) * 4096) | shift;
    const keyHigh = Math.floor(page / 2 ** 20) | 0;
    let at = this.setOf(id, shift, keyLow, keyHigh) * ways * ENTRY_WORDS;
    for (let way = 0; way < ways; way++, at += ENTRY_WORDS)
      if (this.matches(words, at, id, keyLow, keyHigh) && this.covers(range, at)) words[at] = 0;
  }

  #sweep(range: AddressRange): void {
    const { words, tags } = this;
    for (let at = 0; at < this.#scopeCount; at++) this.#inScope[this.#scope[at] as number] = 1;
    for (let at = 0; at < words.length; at += ENTRY_WORDS) {
      const id = words[at] as number;
      if (id !== 0 && this.#inScope[id & tags.contextMask] === 1 && this.covers(range, at)) words[at] = 0;
    }
    for (let at = 0; at < this.#scopeCount; at++) this.#inScope[this.#scope[at] as number] = 0;
  }
}
