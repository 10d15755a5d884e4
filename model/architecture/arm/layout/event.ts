import { address, bits, layout } from './layout.ts';

/** Event numbers (IHI 0070 §7.3). */
export const EVENT = {
  F_UUT: 0x01,
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_BAD_ATS_TREQ: 0x05,
  F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
  F_TLB_CONFLICT: 0x20,
  F_CFG_CONFLICT: 0x21,
  E_PAGE_REQUEST: 0x24,
} as const;

/** Values of `CLASS`: what was being accessed when a translation fault arose (§7.3.13). */
export const EVENT_CLASS = { CD: 0, TABLE: 1, INPUT: 2 } as const;

/**
 * Event record, 32 bytes (§7.3). Not every event has every field; those without are 0 here. The input address may have
 * all of 64 bits, so it is given as two lanes.
 */
export const EVENT_RECORD = layout('event record', 4, {
  Event: bits(7, 0),
  SSV: bits(11),
  SubstreamID: bits(31, 12),
  StreamID: bits(63, 32),
  STAG: bits(79, 64),
  Stall: bits(95),
  PnU: bits(97),
  InD: bits(98),
  RnW: bits(99),
  NSIPA: bits(100),
  S2: bits(103),
  CLASS: bits(105, 104),
  TTRnW: bits(108),
  InputAddrLow: bits(159, 128),
  InputAddrHigh: bits(191, 160),
  FetchAddr: address(247, 195),
});

/** The IPA of a stage 2 fault lies where other events have the fetch address (§7.3.13). */
export const EVENT_IPA = address(247, 204);
