import { ConfigSets } from './config-sets.ts';
import type { CacheSize } from './tagged-sets.ts';
import { Tags, type TagsOptions } from './tags.ts';

/** Sizes of the configuration cache. */
export interface ConfigCacheOptions {
  readonly ste: CacheSize;
  readonly cd: CacheSize;
  /** Level 1 stream table descriptors. */
  readonly l1std: CacheSize;
  /** Level 1 CD table descriptors. */
  readonly l1cd: CacheSize;
  /** `contexts` is the number of streams that can have CDs or L1CDs held. */
  readonly tags: TagsOptions;
}

/** Lanes of an STE or a CD (64 bytes), and of a level 1 descriptor (8 bytes). */
const ENTRY_LANES = 16;
const DESCRIPTOR_LANES = 2;

/**
 * Copies of configuration structures (IHI 0070 §4.3): STEs and L1STDs by StreamID, CDs and L1CDs by the StreamID that
 * they were reached through and their index. `find…` gives an entry or -1, `take…` one to be written; the lanes of an
 * entry of `ste` start at `ste.copies[entry * ste.lanes]`, and so on. What is copied may be invalid.
 */
export class ConfigCache {
  readonly ste: ConfigSets;
  readonly cd: ConfigSets;
  readonly l1std: ConfigSets;
  readonly l1cd: ConfigSets;
  /** CDs and L1CDs have a context for each stream; STEs and L1STDs share one. */
  protected readonly streams: Tags;
  protected readonly streamTable: Tags;
  /** log2 of the spans that L1STDs and L1CDs have had, as bits. */
  #streamSpans = 0;
  #substreamSpans = 0;

  constructor(options: ConfigCacheOptions) {
    this.streams = new Tags(1, 1, options.tags);
    this.streamTable = new Tags(1, 1, { ...options.tags, contexts: 1 });
    this.ste = new ConfigSets(this.streamTable, ENTRY_LANES, options.ste);
    this.cd = new ConfigSets(this.streams, ENTRY_LANES, options.cd);
    this.l1std = new ConfigSets(this.streamTable, DESCRIPTOR_LANES, options.l1std);
    this.l1cd = new ConfigSets(this.streams, DESCRIPTOR_LANES, options.l1cd);
  }

  /** Grows with each invalidation: a fetch that began at another epoch must not fill the cache any more. */
  get epoch(): number {
    return this.streamTable.epoch + this.streams.epoch;
  }

  findSte(streamId: number): number {
    const id = this.#id(this.streamTable, 0);
    return id === 0 ? -1 : this.ste.find(id, streamId, 0);
  }

  takeSte(streamId: number): number {
    return this.ste.take(this.#intern(this.streamTable, 0), streamId, 0);
  }

  /** The L1STD of a StreamID. @param split log2 of the StreamIDs that it serves. */
  findL1std(streamId: number, split: number): number {
    const id = this.#id(this.streamTable, 0);
    return id === 0 ? -1 : this.l1std.find(id, firstOf(streamId, split), split);
  }

  takeL1std(streamId: number, split: number): number {
    this.#streamSpans |= 1 << split;
    return this.l1std.take(this.#intern(this.streamTable, 0), firstOf(streamId, split), split);
  }

  /** The CD at an index of the table of a stream. */
  findCd(streamId: number, substream: number): number {
    const id = this.#id(this.streams, streamId);
    return id === 0 ? -1 : this.cd.find(id, this.cdIndex(substream), 0);
  }

  takeCd(streamId: number, substream: number): number {
    return this.cd.take(this.#intern(this.streams, streamId), this.cdIndex(substream), 0);
  }

  /** The L1CD for an index of the table of a stream. @param split log2 of the CDs that it serves. */
  findL1cd(streamId: number, substream: number, split: number): number {
    const id = this.#id(this.streams, streamId);
    return id === 0 ? -1 : this.l1cd.find(id, firstOf(substream, split), split);
  }

  takeL1cd(streamId: number, substream: number, split: number): number {
    this.#substreamSpans |= 1 << split;
    return this.l1cd.take(this.#intern(this.streams, streamId), firstOf(substream, split), split);
  }

  /**
   * CMD_CFGI_STE (§4.3.1): the STE and all CDs and L1CDs that were reached through it.
   *
   * @param leaf leaves the L1STD.
   */
  invalidateSte(streamId: number, leaf: boolean): void {
    this.streamTable.epoch++;
    const id = this.#id(this.streamTable, 0);
    if (id !== 0) {
      this.ste.drop(id, streamId, 0);
      if (!leaf) this.dropL1std(id, streamId);
    }
    this.dropCdsOf(streamId);
  }

  /** CMD_CFGI_STE_RANGE (§4.3.2) for `count` StreamIDs, a power of two, from `first`, a multiple of it. */
  invalidateSteRange(first: number, count: number): void {
    this.streamTable.epoch++;
    const id = this.#id(this.streamTable, 0);
    if (id !== 0) {
      this.ste.dropOverlapping(id, first, count);
      this.l1std.dropOverlapping(id, first, count);
    }
    for (let context = this.streams.first(0); context >= 0; context = this.streams.after(context)) {
      const streamId = this.streams.codeAt(context) >>> 0;
      if (streamId >= first && streamId < first + count) this.dropCdsOf(streamId);
    }
  }

  /** CMD_CFGI_ALL. */
  invalidateAll(): void {
    this.streamTable.dropGroup(0);
    this.streams.dropGroup(0);
  }

  /**
   * CMD_CFGI_CD (§4.3.3): one CD of one stream.
   *
   * @param leaf leaves the L1CD.
   */
  invalidateCd(streamId: number, substream: number, leaf: boolean): void {
    this.streamTable.epoch++;
    const id = this.#id(this.streams, streamId);
    if (id === 0) return;
    this.cd.drop(id, this.cdIndex(substream), 0);
    if (!leaf) this.dropL1cd(id, substream);
  }

  /** CMD_CFGI_CD_ALL (§4.3.4): all CDs and L1CDs that were reached through a stream. */
  invalidateCdAll(streamId: number): void {
    this.streamTable.epoch++;
    this.dropCdsOf(streamId);
  }

  /** By which index CDs of a stream are told apart. */
  protected cdIndex(substream: number): number {
    return substream;
  }

  protected dropCdsOf(streamId: number): void {
    this.streams.dropContext(0, streamId | 0);
  }

  protected dropL1std(id: number, streamId: number): void {
    for (let split = 0; split < 32; split++)
      if ((this.#streamSpans & (1 << split)) !== 0) this.l1std.drop(id, firstOf(streamId, split), split);
  }

  protected dropL1cd(id: number, substream: number): void {
    for (let split = 0; split < 32; split++)
      if ((this.#substreamSpans & (1 << split)) !== 0) this.l1cd.drop(id, firstOf(substream, split), split);
  }

  #id(tags: Tags, code: number): number {
    const context = tags.find(0, code | 0);
    return context < 0 ? 0 : tags.idOf(context);
  }

  #intern(tags: Tags, code: number): number {
    return tags.idOf(tags.intern(0, 0, code | 0));
  }
}

/** The first of the indices that a level 1 descriptor serves. */
function firstOf(index: number, split: number): number {
  return index & (-1 << split);
}
