import { address, bits, layout } from './layout.ts';

/** Granule sizes as log2 of bytes. */
export type GranuleBits = 12 | 14 | 16;

/**
 * VMSAv8-64 table descriptor, levels 0 to 2 (Arm ARM D8.3.1). The next-level table is at `Address`; with the 16 KiB and
 * 64 KiB granules its low bits are zero.
 */
export const TABLE_DESCRIPTOR = layout('table descriptor', 1, {
  Valid: bits(0),
  Table: bits(1),
  Address: address(47, 12),
  PXNTable: bits(59),
  UXNTable: bits(60),
  APTable: bits(62, 61),
  NSTable: bits(63),
});

/** The same for the 64 KiB granule, where bits [15:12] hold bits [51:48] of the address (52-bit addresses). */
export const TABLE_DESCRIPTOR_64K = layout('table descriptor (64 KiB)', 1, {
  ...TABLE_DESCRIPTOR.fields,
  Address: address(47, 16),
  AddressTop: bits(15, 12, 48),
});

/**
 * VMSAv8-64 stage 1 block or page descriptor (Arm ARM D8.3.1, D8.3.2). `Page` is 1 at level 3 (a 0 is reserved there,
 * so invalid) and 0 for a block at level 1 or 2.
 */
export const STAGE1_LEAF = layout('stage 1 leaf descriptor', 1, {
  Valid: bits(0),
  Page: bits(1),
  AttrIndx: bits(4, 2),
  NS: bits(5),
  AP: bits(7, 6),
  SH: bits(9, 8),
  AF: bits(10),
  nG: bits(11),
  Address: address(47, 12),
  GP: bits(50),
  DBM: bits(51),
  Contiguous: bits(52),
  PXN: bits(53),
  UXN: bits(54),
  Software: bits(58, 55),
  PBHA: bits(62, 59),
});

/** The same for the 64 KiB granule, where bits [15:12] hold bits [51:48] of the address. */
export const STAGE1_LEAF_64K = layout('stage 1 leaf descriptor (64 KiB)', 1, {
  ...STAGE1_LEAF.fields,
  Address: address(47, 16),
  AddressTop: bits(15, 12, 48),
});

/** VMSAv8-64 stage 2 block or page descriptor (Arm ARM D8.3.1, D8.3.2). */
export const STAGE2_LEAF = layout('stage 2 leaf descriptor', 1, {
  Valid: bits(0),
  Page: bits(1),
  MemAttr: bits(5, 2),
  S2AP: bits(7, 6),
  SH: bits(9, 8),
  AF: bits(10),
  FnXS: bits(11),
  Address: address(47, 12),
  DBM: bits(51),
  Contiguous: bits(52),
  XN: bits(54, 53),
  Software: bits(58, 55),
  PBHA: bits(62, 59),
});

/** Values of `STAGE1_LEAF.AP`, bits AP[2:1]: bit 0 gives unprivileged access, bit 1 makes read-only (D8.4). */
export const AP = { PRIVILEGED_RW: 0, ANY_RW: 1, PRIVILEGED_RO: 2, ANY_RO: 3 } as const;

/** Bits of an address that one level of table resolves. */
export function bitsPerLevel(granule: GranuleBits): number {
  return granule - 3;
}

/** Lowest address bit that the index into a table of a level uses: log2 of the size that one entry covers. */
export function levelShift(granule: GranuleBits, level: number): number {
  return granule + (3 - level) * (granule - 3);
}

/** Level at which a walk of a region of 2^`inputBits` bytes starts (D8.2). */
export function startLevel(granule: GranuleBits, inputBits: number): number {
  return 4 - Math.ceil((inputBits - granule) / (granule - 3));
}

/** Whether a block descriptor is allowed at a level without 52-bit descriptors (D8.3.1): a page counts at level 3. */
export function leafAllowed(granule: GranuleBits, level: number): boolean {
  return level === 3 || level === 2 || (level === 1 && granule === 12);
}

/** Number of entries in a contiguous run at a level (D8.7.1), 0 where a leaf cannot be there. */
export function contiguousEntries(granule: GranuleBits, level: number): number {
  if (!leafAllowed(granule, level)) return 0;
  if (granule === 14) return level === 3 ? 128 : 32;
  return granule === 12 ? 16 : 32;
}
