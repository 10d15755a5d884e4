import { ENTRY_WORDS, META, pagesOf, WORD, type AddressRange } from './entry.ts';
import { TaggedCache } from './tagged-cache.ts';
import { SELECTED, type TranslationTags } from './translation-tags.ts';

/** Number of hints, a power of two. */
const HINTS = 4096;

/** Which stages an entry has information of. */
export const STAGES = { STAGE1: 0, STAGE2: 1, COMBINED: 2 } as const;

/** A translation to be held. A device keeps one such object and fills it in before each `insert`. */
export interface IotlbFill {
  /** One of `WORLD`. */
  world: number;
  vmid: number;
  /** Ignored for entries of stage 2 alone, like `aset` and `global`. */
  asid: number;
  aset: number;
  /** nG is 0: serves every ASID of the VMID (IHI 0070 §3.17.1). */
  global: boolean;
  /** One of `STAGES`. */
  stages: number;
  /** Any address in the entry: a VA, or an IPA for entries of stage 2 alone. */
  addressLow: number;
  addressHigh: number;
  /** log2 of the bytes covered: 12 to 42. For a combined entry the smaller one of both stages. */
  shift: number;
  /** log2 of the bytes of the leaf of stage 1 (or of the only stage); larger than `shift` where stage 2 splintered it. */
  sourceShift: number;
  /** The output address of the same place; its bits below `shift` are ignored. */
  outputLow: number;
  outputHigh: number;
  /** As the device encodes them. */
  permissions: number;
  attributes: number;
  extra: number;
  /** Level and granule (12, 14, 16) of the leaf of stage 1, or of the only stage. */
  level: number;
  granule: number;
}

/** A fill with nothing in it. */
export function iotlbFill(): IotlbFill {
  const none = {
    world: 0,
    vmid: 0,
    asid: 0,
    aset: 0,
    global: false,
    stages: STAGES.STAGE1,
    addressLow: 0,
    addressHigh: 0,
  };
  const size = { shift: 12, sourceShift: 12, outputLow: 0, outputHigh: 0, level: 3, granule: 12 };
  return { ...none, ...size, permissions: 0, attributes: 0, extra: 0 };
}

/**
 * The TLB: what walks found, for accesses to come. `lookup` gives an entry, or -1; the accessors tell what is in it, until
 * the next `insert` or invalidation.
 *
 * Invalidations by tag are made on the `TranslationTags`; the ones here are by address.
 */
export class Iotlb extends TaggedCache<TranslationTags> {
  /** An entry of both stages was made at some time. */
  #combined = false;
  /**
   * Where pages that were accessed lately were found: page and context mixed, and the entry. It is looked at again, so a
   * hint that is wrong costs time only, and nothing needs to invalidate hints.
   */
  readonly #hints = new Int32Array(2 * HINTS);

  /** The entry with stage 1 that an access to a VA may use. */
  lookup(world: number, vmid: number, asid: number, aset: number, low: number, high: number): number {
    const { tags, words } = this;
    const hints = this.#hints;
    const row = tags.select(world, vmid, asid, aset);
    const local = tags.selected[row + SELECTED.LOCAL_ID] as number;
    const global = tags.selected[row + SELECTED.GLOBAL_ID] as number;
    const hinted = (low & -4096) ^ local;
    const hint = ((low >>> 12) ^ (local << 6)) & (HINTS - 1);
    if (hints[2 * hint] === hinted) {
      const entry = hints[2 * hint + 1] as number;
      const at = entry * ENTRY_WORDS;
      const id = words[at] as number;
      if (id !== 0 && (id === local || id === global) && this.serves(at, low, high)) {
        this.touch(at);
        return entry;
      }
    }
    const entry = this.#search(local, global, low, high);
    if (entry >= 0) {
      hints[2 * hint] = hinted;
      hints[2 * hint + 1] = entry;
    }
    return entry;
  }

  /** The entry of stage 2 alone for an IPA. */
  lookupStage2(vmid: number, low: number, high: number): number {
    const { tags } = this;
    const context = tags.find(tags.stage2(vmid), 0);
    if (context < 0) return -1;
    const id = tags.idOf(context);
    return this.probe(id, this.sizesOf(id), low, high);
  }

  /** Holds a translation. It takes the place of one with the same tag, size and address. */
  insert(fill: IotlbFill): number {
    const { tags, words } = this;
    if (fill.stages === STAGES.COMBINED) this.#combined = true;
    const id =
      fill.stages === STAGES.STAGE2
        ? tags.idOf(tags.internStage2(fill.vmid))
        : tags.idForStage1(fill.world, fill.vmid, fill.asid, fill.aset, fill.global);
    const entry = this.take(id, fill.shift, fill.sourceShift, fill.addressLow, fill.addressHigh);
    const at = entry * ENTRY_WORDS;
    const meta =
      (fill.sourceShift << META.SOURCE) |
      (fill.level << META.LEVEL) |
      (((fill.granule - 10) >> 1) << META.GRANULE) |
      (fill.stages << META.KIND);
    this.writeOutput(at, fill.outputLow, fill.outputHigh, meta);
    words[at + WORD.PERMISSIONS] = fill.permissions;
    words[at + WORD.ATTRIBUTES] = fill.attributes;
    words[at + WORD.EXTRA] = fill.extra;
    return entry;
  }

  /** One of `STAGES`. */
  stages(entry: number): number {
    return ((this.words[entry * ENTRY_WORDS + WORD.OUTPUT_LOW] as number) >>> META.KIND) & 3;
  }

  /**
   * Drops what a VA covers, of an ASID and of global entries: CMD_TLBI_NH_VA, CMD_TLBI_EL2_VA (§4.4.2.4). Those that were
   * cut from a larger page of stage 1 go with every address of that page.
   */
  dropVa(world: number, vmid: number, asid: number, range: AddressRange): void {
    const { tags } = this;
    const { selected } = tags;
    for (let aset = 0; aset < 2; aset++) {
      const row = tags.select(world, vmid, asid, aset);
      this.scopeId(selected[row + SELECTED.LOCAL_ID] as number);
      this.scopeGlobal(selected[row + SELECTED.GLOBAL_ID] as number);
    }
    this.dropRange(range);
  }

  /** The same, of all ASIDs: CMD_TLBI_NH_VAA, CMD_TLBI_EL2_VAA (§4.4.2.3). */
  dropVaAllAsids(world: number, vmid: number, range: AddressRange): void {
    this.scopeSpace(this.tags.stage1(world, vmid));
    this.dropRange(range);
  }

  /**
   * Drops what an IPA covers of the entries of stage 2 alone: CMD_TLBI_S2_IPA (§4.4.3.1).
   *
   * @param combined also drops entries of both stages of the VMID, which the architecture lets stay until a command for
   *   stage 1; with them go those of stage 1 alone.
   */
  dropIpa(vmid: number, range: AddressRange, combined = false): void {
    const { tags } = this;
    this.scopeContext(tags.stage2(vmid), 0);
    this.dropRange(range);
    if (combined && this.#combined) tags.dropStage1(0, vmid);
  }

  /** Whether the entry at some word covers an address. */
  protected serves(at: number, low: number, high: number): boolean {
    const keyLow = this.words[at + WORD.ADDRESS_LOW] as number;
    const shift = keyLow & 63;
    return (
      ((low & this.keyMaskLow(shift)) | shift) === keyLow &&
      (high & this.keyMaskHigh(shift)) === this.words[at + WORD.ADDRESS_HIGH]
    );
  }

  /** Global entries go with every ASID when they are meant by address (§4.4.2.4). */
  protected scopeGlobal(id: number): void {
    this.scopeId(id);
  }

  protected covers(range: AddressRange, at: number): boolean {
    if (!this.granuleFits(range, at) || !this.levelFits(range, at)) return false;
    const pages = pagesOf(this.sourceShift(at));
    return this.overlaps(range, Math.floor(this.pageAt(at) / pages) * pages, pages);
  }

  /** Whether the leaf was at the level that a hint names. */
  protected levelFits(range: AddressRange, at: number): boolean {
    return range.level === 0 || (((this.words[at + WORD.OUTPUT_LOW] as number) >>> META.LEVEL) & 3) === range.level;
  }

  /** log2 of the size of the leaf that the entry at some word was cut from. */
  protected sourceShift(at: number): number {
    return ((this.words[at + WORD.OUTPUT_LOW] as number) >>> META.SOURCE) & 63;
  }

  #search(local: number, global: number, low: number, high: number): number {
    if (local !== 0) {
      const entry = this.probe(local, this.sizesOf(local), low, high);
      if (entry >= 0) return entry;
    }
    return global === 0 ? -1 : this.probe(global, this.sizesOf(global), low, high);
  }
}
