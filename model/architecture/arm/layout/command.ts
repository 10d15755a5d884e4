import { address, bits, layout } from './layout.ts';

/** Command opcodes (IHI 0070 §4.1.1). */
export const OPCODE = {
  PREFETCH_CONFIG: 0x01,
  PREFETCH_ADDR: 0x02,
  CFGI_STE: 0x03,
  CFGI_STE_RANGE: 0x04,
  CFGI_CD: 0x05,
  CFGI_CD_ALL: 0x06,
  TLBI_NH_ALL: 0x10,
  TLBI_NH_ASID: 0x11,
  TLBI_NH_VA: 0x12,
  TLBI_NH_VAA: 0x13,
  TLBI_EL2_ALL: 0x20,
  TLBI_EL2_ASID: 0x21,
  TLBI_EL2_VA: 0x22,
  TLBI_EL2_VAA: 0x23,
  TLBI_S12_VMALL: 0x28,
  TLBI_S2_IPA: 0x2a,
  TLBI_NSNH_ALL: 0x30,
  ATC_INV: 0x40,
  PRI_RESP: 0x41,
  RESUME: 0x44,
  STALL_TERM: 0x45,
  SYNC: 0x46,
} as const;

/** What every command has (§4.1.2). */
export const COMMAND = layout('command', 2, { Opcode: bits(7, 0), SSec: bits(10), SSV: bits(11) });

/** CMD_CFGI_STE, _CD, _CD_ALL (§4.3): `Leaf` matters to CFGI_STE and CFGI_CD, `SubstreamID` to CFGI_CD. */
export const COMMAND_CFGI = layout('CMD_CFGI', 2, {
  ...COMMAND.fields,
  SubstreamID: bits(31, 12),
  StreamID: bits(63, 32),
  Leaf: bits(64),
});

/** CMD_CFGI_STE_RANGE (§4.3.2): 2^(Range+1) StreamIDs; 31 is CMD_CFGI_ALL. */
export const COMMAND_CFGI_STE_RANGE = layout('CMD_CFGI_STE_RANGE', 2, {
  ...COMMAND.fields,
  StreamID: bits(63, 32),
  Range: bits(68, 64),
});

/** `Range` that makes CMD_CFGI_STE_RANGE a CMD_CFGI_ALL (§4.3.2). */
export const CFGI_RANGE_ALL = 31;

/**
 * The CMD_TLBI_* commands (§4.4). `Address` is the byte address; with `TG` 1, 2, 3 (4, 16, 64 KiB) and range
 * invalidation, (Num+1) * 2^Scale granules are covered.
 */
export const COMMAND_TLBI = layout('CMD_TLBI', 2, {
  ...COMMAND.fields,
  Num: bits(16, 12),
  Scale: bits(25, 20),
  VMID: bits(47, 32),
  ASID: bits(63, 48),
  Leaf: bits(64),
  TTL: bits(73, 72),
  TG: bits(75, 74),
  Address: address(127, 76),
});

/** CMD_ATC_INV (§4.5.1): 2^Size pages of 4 KiB; Size 52 is everything. */
export const COMMAND_ATC_INV = layout('CMD_ATC_INV', 2, {
  ...COMMAND.fields,
  Global: bits(9),
  SubstreamID: bits(31, 12),
  StreamID: bits(63, 32),
  Size: bits(69, 64),
  Address: address(127, 76),
});

/** CMD_PRI_RESP (§4.5.2). */
export const COMMAND_PRI_RESP = layout('CMD_PRI_RESP', 2, {
  ...COMMAND.fields,
  SubstreamID: bits(31, 12),
  StreamID: bits(63, 32),
  PRGIndex: bits(72, 64),
  Resp: bits(77, 76),
});

/** Values of `COMMAND_PRI_RESP.Resp` (§4.5.2). */
export const PRI_RESPONSE = { FAILURE: 0, INVALID: 1, SUCCESS: 2, RESERVED: 3 } as const;

/** CMD_RESUME (§4.7.1): Ac retries, Ab aborts. */
export const COMMAND_RESUME = layout('CMD_RESUME', 2, {
  ...COMMAND.fields,
  Ac: bits(12),
  Ab: bits(13),
  StreamID: bits(63, 32),
  STAG: bits(79, 64),
});

/** CMD_STALL_TERM (§4.7.2). */
export const COMMAND_STALL_TERM = layout('CMD_STALL_TERM', 2, { ...COMMAND.fields, StreamID: bits(63, 32) });

/** CMD_SYNC (§4.7.3). `CS` 0 nothing, 1 interrupt, 2 event. */
export const COMMAND_SYNC = layout('CMD_SYNC', 2, {
  ...COMMAND.fields,
  CS: bits(13, 12),
  MSH: bits(23, 22),
  MSIAttr: bits(27, 24),
  MSIData: bits(63, 32),
  MSIAddress: address(115, 66),
});
