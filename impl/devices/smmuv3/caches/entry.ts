/** How an entry of `TaggedSets` is laid out, and what is said of sizes and ranges. */

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
  /** High lane of the output address, 20 bits; the sign is set in an entry that was used lately. */
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

/** Bits of the high lane of an output address (52 bits in all). */
export const OUTPUT_HIGH_MASK = (1 << 20) - 1;

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

/** Bits of the low lane of an address that tell entries of 2^shift bytes apart; `highMask` for the high lane. */
export function lowMask(shift: number): number {
  return shift < 32 ? -1 << shift : 0;
}

/** See `lowMask`. */
export function highMask(shift: number): number {
  return shift <= 32 ? -1 : -1 << (shift - 32);
}

/** Bit of a size in the masks of sizes; sizes are 2^12 to 2^42, and 2^47 (a table of level 1 with a 16 KiB granule). */
export function sizeBit(shift: number): number {
  return 1 << Math.min(shift - 12, 31);
}

/** Smallest size of a mask that is not zero. */
export function smallestSize(mask: number): number {
  const bit = 31 - Math.clz32(mask & -mask);
  return bit === 31 ? 47 : bit + 12;
}

/** Number of pages of 4 KiB in 2^shift bytes, at least 2^12 of them: powers are slow where they are not constant. */
export function pagesOf(shift: number): number {
  return shift < 42 ? 1 << (shift - 12) : (1 << (shift - 42)) * 2 ** 30;
}
