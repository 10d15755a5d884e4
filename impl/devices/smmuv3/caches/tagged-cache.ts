import { ENTRY_WORDS, highMask, lowMask, META, pagesOf, smallestSize, WORD, type AddressRange } from './entry.ts';
import { TaggedSets, type CacheSize } from './tagged-sets.ts';
import type { Tags } from './tags.ts';

/** Entries that are gone through in the time of one probe: measured with 4, 64 and 1024 Ki entries. */
const ENTRIES_PER_PROBE = 10;

/**
 * A cache of translations or table descriptors that can be invalidated by address: the contexts that are meant are put in
 * the scope, then the range is dropped from it.
 */
export abstract class TaggedCache<T extends Tags = Tags> extends TaggedSets<T> {
  readonly #inScope: Uint8Array;
  readonly #scope: Int32Array;
  #scopeCount = 0;

  constructor(tags: T, size: CacheSize) {
    super(tags, size);
    this.#inScope = new Uint8Array(tags.contexts);
    this.#scope = new Int32Array(tags.contexts);
  }

  /** Adds the context of an id, if it is not 0, to what the invalidation that is being made acts on. */
  protected scopeId(id: number): void {
    if (id !== 0 && this.sizesOf(id) !== 0) this.#scope[this.#scopeCount++] = id;
  }

  /** Adds a context, if it has a slot. */
  protected scopeContext(space: number, code: number): void {
    const context = this.tags.find(space, code);
    if (context >= 0) this.scopeId(this.tags.idOf(context));
  }

  /** Adds all contexts of a space. */
  protected scopeSpace(space: number): void {
    for (let context = this.tags.first(space); context >= 0; context = this.tags.after(context))
      this.scopeId(this.tags.idOf(context));
  }

  /**
   * Drops the entries of the scope that a range covers: probes each entry that there could be, or goes through all
   * entries where that is cheaper. Ends the scope.
   */
  protected dropRange(range: AddressRange): void {
    this.tags.epoch++;
    let probes = 0;
    for (let at = 0; at < this.#scopeCount; at++) probes += this.#probes(this.#scope[at] as number, range);
    if (probes * ENTRIES_PER_PROBE > this.capacity) this.#sweep(range);
    else for (let at = 0; at < this.#scopeCount; at++) this.#probeRange(this.#scope[at] as number, range);
    this.#scopeCount = 0;
  }

  /** Whether an invalidation is required to drop the entry at some word, given that its tag is in the scope. */
  protected abstract covers(range: AddressRange, at: number): boolean;

  /** Whether an entry that covers `pages` from `page` has a part in a range. */
  protected overlaps(range: AddressRange, page: number, pages: number): boolean {
    return page < range.firstPage + range.pages && range.firstPage < page + pages;
  }

  /** Whether an entry was made with the granule that a range asks for. */
  protected granuleFits(range: AddressRange, at: number): boolean {
    if (range.granule === 0) return true;
    return (((this.words[at + WORD.OUTPUT_LOW] as number) >>> META.GRANULE) & 3) === (range.granule - 10) >> 1;
  }

  /**
   * Entries of a size that a range covers lie in the blocks of this many pages that the range touches. Where an entry
   * was cut from a larger source, an address anywhere in the source is meant.
   */
  protected windowUnit(context: number, shift: number): number {
    return pagesOf(Math.max(shift, this.widest[context] as number));
  }

  /** The sizes of entries that an invalidation by address looks for. */
  protected sizesMeant(context: number): number {
    return this.sizes[context] as number;
  }

  /** Number of probes that a range costs in a context. */
  #probes(id: number, range: AddressRange): number {
    const context = id & this.tags.contextMask;
    if (range.pages === 1 && this.widest[context] === 0) return 1;
    let probes = 0;
    for (let left = this.sizesMeant(context); left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const units = Math.floor((range.firstPage + range.pages - 1) / unit) - Math.floor(range.firstPage / unit) + 1;
      probes += units * (unit / pagesOf(shift));
    }
    return probes;
  }

  #probeRange(id: number, range: AddressRange): void {
    const context = id & this.tags.contextMask;
    for (let left = this.sizesMeant(context); left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const step = pagesOf(shift);
      if (range.pages === 1 && unit === step) {
        this.#dropFrom(id, shift, range.firstPage, 1, range);
        continue;
      }
      const from = Math.floor(range.firstPage / unit) * unit;
      const end = (Math.floor((range.firstPage + range.pages - 1) / unit) + 1) * unit;
      this.#dropFrom(id, shift, from, (end - from) / step, range);
    }
  }

  /** Of `count` entries of a size, the first of which covers a page, drops those that are there and meant. */
  #dropFrom(id: number, shift: number, page: number, count: number, range: AddressRange): void {
    const upper = Math.floor(page / 2 ** 20);
    let keyLow = (((page - upper * 2 ** 20) << 12) & lowMask(shift)) | shift;
    let keyHigh = upper & highMask(shift);
    const stepLow = shift < 32 ? 1 << shift : 0;
    const stepHigh = shift < 32 ? 0 : 1 << (shift - 32);
    for (let left = count; left > 0; left--) {
      const entry = this.entryWith(this.placeOf(id, shift, keyLow, keyHigh), id, keyLow, keyHigh);
      if (entry >= 0 && this.covers(range, entry * ENTRY_WORDS)) this.words[entry * ENTRY_WORDS] = 0;
      keyLow = (keyLow + stepLow) | 0;
      keyHigh = (keyHigh + stepHigh) | 0;
      // Only the shift is left in the low lane: it has gone round.
      if (keyLow === shift && stepLow !== 0) keyHigh = (keyHigh + 1) | 0;
    }
  }

  #sweep(range: AddressRange): void {
    const { words, tags } = this;
    for (let at = 0; at < this.#scopeCount; at++) this.#inScope[(this.#scope[at] as number) & tags.contextMask] = 1;
    for (let at = 0; at < words.length; at += ENTRY_WORDS) {
      const id = words[at] as number;
      if (id !== 0 && this.#inScope[id & tags.contextMask] === 1 && this.covers(range, at)) words[at] = 0;
    }
    for (let at = 0; at < this.#scopeCount; at++) this.#inScope[(this.#scope[at] as number) & tags.contextMask] = 0;
  }
}
