import { ENTRY_WORDS, highMask, lowMask, META, smallestSize, WORD, type AddressRange } from './entry.ts';
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

  /** Adds a context to what the invalidation that is being made acts on. */
  protected scopeContext(space: number, code: number): void {
    const context = this.tags.find(space, code);
    if (context >= 0) this.scopeFound(context);
  }

  /** Adds all contexts of a space. */
  protected scopeSpace(space: number): void {
    for (let context = this.tags.first(space); context >= 0; context = this.tags.after(context))
      this.scopeFound(context);
  }

  /** Adds a context that has a slot. */
  protected scopeFound(context: number): void {
    if (this.sizesOf(this.tags.idOf(context)) !== 0) this.#scope[this.#scopeCount++] = context;
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
    return 2 ** (Math.max(shift, this.widest[context] as number) - 12);
  }

  /** The sizes of entries that an invalidation by address looks for. */
  protected sizesMeant(context: number): number {
    return this.sizes[context] as number;
  }

  /** Number of probes that a range costs in a context. */
  #probes(context: number, range: AddressRange): number {
    if (range.pages === 1 && this.widest[context] === 0) return 1;
    let probes = 0;
    for (let left = this.sizesMeant(context); left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const units = Math.floor((range.firstPage + range.pages - 1) / unit) - Math.floor(range.firstPage / unit) + 1;
      probes += units * (unit / 2 ** (shift - 12));
    }
    return probes;
  }

  #probeRange(context: number, range: AddressRange): void {
    const id = this.tags.idOf(context);
    for (let left = this.sizesMeant(context); left !== 0; left &= left - 1) {
      const shift = smallestSize(left);
      const unit = this.windowUnit(context, shift);
      const step = 2 ** (shift - 12);
      if (range.pages === 1 && unit === step) {
        this.#dropPage(id, shift, range.firstPage, range);
        continue;
      }
      const end = (Math.floor((range.firstPage + range.pages - 1) / unit) + 1) * unit;
      for (let page = Math.floor(range.firstPage / unit) * unit; page < end; page += step)
        this.#dropPage(id, shift, page, range);
    }
  }

  /** Drops the entry of a size that covers a page, if there is one and it is meant. */
  #dropPage(id: number, shift: number, page: number, range: AddressRange): void {
    const upper = Math.floor(page / 2 ** 20);
    const keyLow = (((page - upper * 2 ** 20) << 12) & lowMask(shift)) | shift;
    const keyHigh = upper & highMask(shift);
    const entry = this.entryWith(this.placeOf(id, shift, keyLow, keyHigh), id, keyLow, keyHigh);
    if (entry >= 0 && this.covers(range, entry * ENTRY_WORDS)) this.words[entry * ENTRY_WORDS] = 0;
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
