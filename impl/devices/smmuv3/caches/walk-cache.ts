import { ENTRY_WORDS, META, OUTPUT_HIGH_MASK, pagesOf, WORD, type AddressRange } from './entry.ts';
import { TaggedCache } from './tagged-cache.ts';
import { SELECTED, type TranslationTags } from './translation-tags.ts';

/** What the address of the next table is. */
export const TABLE = {
  /** Of a walk of one stage: the address as the descriptor gives it. */
  ONE_STAGE: 0,
  /** Of a nested walk: the IPA of a table of stage 1. */
  IPA: 1,
  /** Of a nested walk: the PA of a table of stage 1, which lies in one page of stage 2. */
  COMBINED: 2,
} as const;

/** A table descriptor to be held. A device keeps one such object and fills it in before each `insert`. */
export interface WalkFill {
  /** One of `WORLD`. */
  world: number;
  vmid: number;
  /** Ignored for descriptors of stage 2, like `aset`. */
  asid: number;
  aset: number;
  /** The descriptor is one of stage 2: the address is an IPA. */
  stage2: boolean;
  /** Any address that the table serves. */
  addressLow: number;
  addressHigh: number;
  /** log2 of the bytes that the table serves: `levelShift` of the level of the descriptor. */
  shift: number;
  /** Address of the next table: a multiple of 4 KiB. */
  tableLow: number;
  tableHigh: number;
  /** One of `TABLE`. */
  table: number;
  /** Hierarchical permissions down to here, as the device encodes them. */
  permissions: number;
  attributes: number;
  extra: number;
  /** Level of the descriptor, 0 to 2: the next table has the level after it. */
  level: number;
  /** 12, 14 or 16. */
  granule: number;
}

/** A fill with nothing in it. */
export function walkFill(): WalkFill {
  const tag = { world: 0, vmid: 0, asid: 0, aset: 0, stage2: false };
  const place = { addressLow: 0, addressHigh: 0, shift: 21, tableLow: 0, tableHigh: 0, table: TABLE.ONE_STAGE };
  return { ...tag, ...place, permissions: 0, attributes: 0, extra: 0, level: 2, granule: 12 };
}

/**
 * The walk cache: table descriptors of both stages, by what they lead to. A lookup gives the one of the deepest level.
 * Descriptors of stage 1 belong to an ASID always, those of stage 2 to a VMID.
 *
 * Invalidations by tag are made on the `TranslationTags`; the ones here are by address. They act on table descriptors
 * only if not restricted to the last level (IHI 0070 §4.4.1.1).
 */
export class WalkCache extends TaggedCache<TranslationTags> {
  /** The deepest descriptor of stage 1 on the way to a VA, or -1. */
  lookup(world: number, vmid: number, asid: number, aset: number, low: number, high: number): number {
    const { tags } = this;
    const id = tags.selected[tags.select(world, vmid, asid, aset) + SELECTED.LOCAL_ID] as number;
    return id === 0 ? -1 : this.probe(id, this.sizesOf(id), low, high);
  }

  /** The deepest descriptor of stage 2 on the way to an IPA, or -1. */
  lookupStage2(vmid: number, low: number, high: number): number {
    const { tags } = this;
    const context = tags.find(tags.stage2(vmid), 0);
    if (context < 0) return -1;
    const id = tags.idOf(context);
    return this.probe(id, this.sizesOf(id), low, high);
  }

  /** Holds a descriptor. It takes the place of one with the same tag, level and address. */
  insert(fill: WalkFill): number {
    const { tags, words } = this;
    const id = fill.stage2
      ? tags.idOf(tags.internStage2(fill.vmid))
      : tags.idForStage1(fill.world, fill.vmid, fill.asid, fill.aset, false);
    const entry = this.take(id, fill.shift, 0, fill.addressLow, fill.addressHigh);
    const at = entry * ENTRY_WORDS;
    const meta = (fill.level << META.LEVEL) | (((fill.granule - 10) >> 1) << META.GRANULE) | (fill.table << META.KIND);
    this.writeOutput(at, fill.tableLow, fill.tableHigh, meta);
    words[at + WORD.PERMISSIONS] = fill.permissions;
    words[at + WORD.ATTRIBUTES] = fill.attributes;
    words[at + WORD.EXTRA] = fill.extra;
    return entry;
  }

  /** Address of the next table. */
  table(entry: number): number {
    const at = entry * ENTRY_WORDS;
    const low = (this.words[at + WORD.OUTPUT_LOW] as number) & -4096;
    return ((this.words[at + WORD.OUTPUT_HIGH] as number) & OUTPUT_HIGH_MASK) * 2 ** 32 + (low >>> 0);
  }

  /** One of `TABLE`. */
  tableKind(entry: number): number {
    return ((this.words[entry * ENTRY_WORDS + WORD.OUTPUT_LOW] as number) >>> META.KIND) & 3;
  }

  /** Drops what a VA covers, of an ASID: CMD_TLBI_NH_VA, CMD_TLBI_EL2_VA (§4.4.2.4). */
  dropVa(world: number, vmid: number, asid: number, range: AddressRange): void {
    const { tags } = this;
    for (let aset = 0; aset < 2; aset++)
      this.scopeId(tags.selected[tags.select(world, vmid, asid, aset) + SELECTED.LOCAL_ID] as number);
    this.dropRange(range);
  }

  /** The same, of all ASIDs: CMD_TLBI_NH_VAA, CMD_TLBI_EL2_VAA (§4.4.2.3). */
  dropVaAllAsids(world: number, vmid: number, range: AddressRange): void {
    this.scopeSpace(this.tags.stage1(world, vmid));
    this.dropRange(range);
  }

  /** Drops what an IPA covers of the descriptors of stage 2: CMD_TLBI_S2_IPA (§4.4.3.1). */
  dropIpa(vmid: number, range: AddressRange): void {
    this.scopeContext(this.tags.stage2(vmid), 0);
    this.dropRange(range);
  }

  protected covers(range: AddressRange, at: number): boolean {
    if (!this.tablesMeant(range) || !this.granuleFits(range, at) || !this.levelFits(range, at)) return false;
    return this.overlaps(range, this.pageAt(at), pagesOf(this.shiftAt(at)));
  }

  /** Whether an invalidation is for table descriptors too. */
  protected tablesMeant(range: AddressRange): boolean {
    return !range.leaf;
  }

  /** Whether a descriptor lies above the level that a hint names for the leaf. */
  protected levelFits(range: AddressRange, at: number): boolean {
    return range.level === 0 || (((this.words[at + WORD.OUTPUT_LOW] as number) >>> META.LEVEL) & 3) < range.level;
  }
}
