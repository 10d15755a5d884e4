import { address, bits, layout } from './layout.ts';

/** Stream table entry, 64 bytes (IHI 0070 §5.2). `S2TTB` and `S1ContextPtr` are byte addresses. */
export const STE = layout('STE', 8, {
  V: bits(0),
  Config: bits(3, 1),
  S1Fmt: bits(5, 4),
  S1ContextPtr: address(55, 6),
  S1CDMax: bits(63, 59),
  S1DSS: bits(65, 64),
  S1CIR: bits(67, 66),
  S1COR: bits(69, 68),
  S1CSH: bits(71, 70),
  DRE: bits(76),
  CONT: bits(80, 77),
  DCP: bits(81),
  PPAR: bits(82),
  MEV: bits(83),
  SW_RESERVED: bits(87, 84),
  S1PIE: bits(88),
  S2FWB: bits(89),
  S1MPAM: bits(90),
  S1STALLD: bits(91),
  EATS: bits(93, 92),
  STRW: bits(95, 94),
  MemAttr: bits(99, 96),
  MTCFG: bits(100),
  ALLOCCFG: bits(104, 101),
  SHCFG: bits(109, 108),
  NSCFG: bits(111, 110),
  PRIVCFG: bits(113, 112),
  INSTCFG: bits(115, 114),
  S2VMID: bits(143, 128),
  S2T0SZ: bits(165, 160),
  S2SL0: bits(167, 166),
  S2IR0: bits(169, 168),
  S2OR0: bits(171, 170),
  S2SH0: bits(173, 172),
  S2TG: bits(175, 174),
  S2PS: bits(178, 176),
  S2AA64: bits(179),
  S2ENDI: bits(180),
  S2AFFD: bits(181),
  S2PTW: bits(182),
  S2HD: bits(183),
  S2HA: bits(184),
  S2S: bits(185),
  S2R: bits(186),
  S2TTB: address(247, 196),
});

/** Values of `STE.Config` (§5.2, table of STE.Config). */
export const STE_CONFIG = { ABORT: 0, BYPASS: 4, STAGE1: 5, STAGE2: 6, NESTED: 7 } as const;

/** Values of `STE.S1Fmt`: a linear table of CDs, or two levels with leaves of 4 KiB or 64 KiB. */
export const S1_FORMAT = { LINEAR: 0, TWO_LEVEL_4K: 1, TWO_LEVEL_64K: 2 } as const;

/** Values of `STE.S1DSS`: what a transaction without a SubstreamID gets when substreams are in use. */
export const S1DSS = { TERMINATE: 0, BYPASS: 1, SUBSTREAM_0: 2 } as const;

/** Values of `STE.EATS` (§5.2): ATS refused, at all stages, stage 1 only, or at all stages with permission checks. */
export const EATS = { NONE: 0, FULL: 1, SPLIT_STAGE: 2, FULL_DPT: 3 } as const;

/** Values of `STE.STRW` in the Non-secure world without E2H (§5.2). */
export const STREAM_WORLD = { EL1: 0, EL2: 2 } as const;

/** Level 1 stream table descriptor, 8 bytes (§5.1). The L2 table has 2^(Span-1) entries; Span 0 is invalid. */
export const STREAM_TABLE_L1 = layout('L1STD', 1, {
  Span: bits(4, 0),
  L2Ptr: address(55, 6),
});
