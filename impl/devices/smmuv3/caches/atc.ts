import { ENTRY_WORDS, pagesOf, WORD, type AddressRange } from './entry.ts';
import { TaggedCache } from './tagged-cache.ts';
import type { CacheSize } from './tagged-sets.ts';
import { Tags, type TagsOptions } from './tags.ts';

/** Pages in the span of a CMD_ATC_INV that means everything (IHI 0070 §4.5.1). */
const EVERYTHING_PAGES = 2 ** 52;

/** A translation that an endpoint was given. A device keeps one such object and fills it in before each `insert`. */
export interface AtcFill {
  /** SubstreamID, or -1 for a request without. */
  substream: number;
  /** Any address in the entry. */
  addressLow: number;
  addressHigh: number;
  /** log2 of the bytes covered: 12 to 42. */
  shift: number;
  outputLow: number;
  outputHigh: number;
  /** As the device encodes them. */
  permissions: number;
  attributes: number;
  extra: number;
}

/** A fill with nothing in it. */
export function atcFill(): AtcFill {
  const place = { substream: -1, addressLow: 0, addressHigh: 0, shift: 12, outputLow: 0, outputHigh: 0 };
  return { ...place, permissions: 0, attributes: 0, extra: 0 };
}

/**
 * The address translation cache in one endpoint (PCIe ATS; IHI 0070 §3.9.1): what translation requests were answered
 * with, by substream. Only CMD_ATC_INV takes anything out of it.
 */
export class Atc extends TaggedCache {
  readonly #span = { firstPage: 0, pages: 1, leaf: true, granule: 0, level: 0 };

  constructor(size: CacheSize, tags: TagsOptions) {
    super(new Tags(1, 1, tags), size);
  }

  /** The entry for an address that the endpoint wants to access, or -1. */
  lookup(substream: number, low: number, high: number): number {
    const { tags } = this;
    const context = tags.find(0, substream);
    if (context < 0) return -1;
    const id = tags.idOf(context);
    return this.probe(id, this.sizesOf(id), low, high);
  }

  /** Holds a translation. It takes the place of one with the same substream, size and address. */
  insert(fill: AtcFill): number {
    const { tags, words } = this;
    const id = tags.idOf(tags.intern(0, 0, fill.substream));
    const entry = this.take(id, fill.shift, 0, fill.addressLow, fill.addressHigh);
    const at = entry * ENTRY_WORDS;
    this.writeOutput(at, fill.outputLow, fill.outputHigh, 0);
    words[at + WORD.PERMISSIONS] = fill.permissions;
    words[at + WORD.ATTRIBUTES] = fill.attributes;
    words[at + WORD.EXTRA] = fill.extra;
    return entry;
  }

  /**
   * Drops what a span covers: CMD_ATC_INV (§4.5.1).
   *
   * @param substream -1 for a command without: then the span is meant whatever the substream, since no command would mean
   *   only what was asked for without one.
   * @param global means every substream, but not what was asked for without one.
   * @param firstPage first page of 4 KiB, a multiple of `pages`; 2^52 pages are everything.
   */
  invalidate(substream: number, global: boolean, firstPage: number, pages: number): void {
    const { tags } = this;
    const everything = pages >= EVERYTHING_PAGES;
    if (substream < 0) {
      if (everything) return tags.dropSpace(0);
      this.scopeSpace(0);
    } else if (global) {
      for (let context = tags.first(0); context >= 0; context = tags.after(context)) {
        const code = tags.codeAt(context);
        if (code >= 0) this.scopeContext(0, code);
      }
    } else {
      if (everything) return tags.dropContext(0, substream);
      this.scopeContext(0, substream);
    }
    this.#span.firstPage = firstPage;
    this.#span.pages = pages;
    this.dropRange(this.#span);
  }

  /** Drops everything: the endpoint was reset, or ATS was switched off in it. */
  reset(): void {
    this.tags.dropGroup(0);
  }

  protected covers(range: AddressRange, at: number): boolean {
    return this.overlaps(range, this.pageAt(at), pagesOf(this.shiftAt(at)));
  }
}
