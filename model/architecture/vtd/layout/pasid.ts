import { address, bits, layout } from '../../arm/layout/layout.ts';

/** Scalable-mode PASID directory entry, 8 bytes (VT-d §9.5): it leads to a table of 64 entries. */
export const PASID_DIRECTORY_ENTRY = layout('PASID directory entry', 1, {
  P: bits(0),
  FPD: bits(1),
  SMPTBLPTR: address(63, 12),
});

/**
 * Scalable-mode PASID table entry, 64 bytes (VT-d §9.6; Linux `drivers/iommu/intel/pasid.c`): the fields that drivers write.
 * `SLPTPTR` and `FLPTPTR` are byte addresses.
 */
export const PASID_ENTRY = layout('PASID entry', 8, {
  P: bits(0),
  FPD: bits(1),
  AW: bits(4, 2),
  PGTT: bits(8, 6),
  SLPTPTR: address(63, 12),
  DID: bits(79, 64),
  PWSNP: bits(87),
  PGSNP: bits(88),
  SRE: bits(128),
  FLPM: bits(131, 130),
  WPE: bits(132),
  NXE: bits(133),
  FLPTPTR: address(191, 140),
});

/** Values of `PASID_ENTRY.PGTT` (§9.6); the others are reserved. */
export const PGTT = { FIRST_STAGE: 1, SECOND_STAGE: 2, NESTED: 3, PASS_THROUGH: 4 } as const;

/** Entries of a PASID table: the low 6 bits of a PASID (§3.4.3). */
export const PASID_TABLE_ENTRIES = 64;

/** Bytes of a PASID entry. */
export const PASID_ENTRY_BYTES = 64;
