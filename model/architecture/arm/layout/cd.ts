import { address, bits, layout } from './layout.ts';

/** Context descriptor, 64 bytes (IHI 0070 §5.4). `TTB0` and `TTB1` are byte addresses. */
export const CD = layout('CD', 8, {
  T0SZ: bits(5, 0),
  TG0: bits(7, 6),
  IR0: bits(9, 8),
  OR0: bits(11, 10),
  SH0: bits(13, 12),
  EPD0: bits(14),
  ENDI: bits(15),
  T1SZ: bits(21, 16),
  TG1: bits(23, 22),
  IR1: bits(25, 24),
  OR1: bits(27, 26),
  SH1: bits(29, 28),
  EPD1: bits(30),
  V: bits(31),
  IPS: bits(34, 32),
  AFFD: bits(35),
  WXN: bits(36),
  UWXN: bits(37),
  TBI0: bits(38),
  TBI1: bits(39),
  PAN: bits(40),
  AA64: bits(41),
  HD: bits(42),
  HA: bits(43),
  S: bits(44),
  R: bits(45),
  A: bits(46),
  ASET: bits(47),
  ASID: bits(63, 48),
  NSCFG0: bits(64),
  HAD0: bits(65),
  E0PD0: bits(66),
  HAFT: bits(67),
  TTB0: address(119, 68),
  NSCFG1: bits(128),
  HAD1: bits(129),
  E0PD1: bits(130),
  AIE: bits(131),
  TTB1: address(183, 132),
  DS: bits(186),
  PIE: bits(187),
  MAIR0: bits(223, 192),
  MAIR1: bits(255, 224),
  AMAIR0: bits(287, 256),
  AMAIR1: bits(319, 288),
});

/** Values of `CD.TG0` (§5.4). */
export const TG0 = { GRANULE_4K: 0, GRANULE_64K: 1, GRANULE_16K: 2 } as const;

/** Values of `CD.TG1`, which differ from those of TG0 (§5.4). */
export const TG1 = { GRANULE_16K: 1, GRANULE_4K: 2, GRANULE_64K: 3 } as const;

/** Output address size in bits for `CD.IPS`, `STE.S2PS` and `IDR5.OAS` (§5.4, §6.3.6). */
export const ADDRESS_SIZES_BITS = [32, 36, 40, 42, 44, 48, 52] as const;

/** Level 1 context descriptor table entry, 8 bytes (§5.3). */
export const CD_TABLE_L1 = layout('L1CD', 1, {
  V: bits(0),
  L2Ptr: address(55, 12),
});
