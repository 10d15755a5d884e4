import { address, bits, layout } from './layout.ts';

/** Offsets in bytes from the base of the SMMU, Non-secure programming interface (IHI 0070 §6.2). */
export const REGISTER = {
  IDR0: 0x00,
  IDR1: 0x04,
  IDR2: 0x08,
  IDR3: 0x0c,
  IDR4: 0x10,
  IDR5: 0x14,
  IIDR: 0x18,
  AIDR: 0x1c,
  CR0: 0x20,
  CR0ACK: 0x24,
  CR1: 0x28,
  CR2: 0x2c,
  STATUSR: 0x40,
  GBPA: 0x44,
  AGBPA: 0x48,
  IRQ_CTRL: 0x50,
  IRQ_CTRLACK: 0x54,
  GERROR: 0x60,
  GERRORN: 0x64,
  STRTAB_BASE: 0x80,
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  PRIQ_BASE: 0xc0,
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
  PRIQ_PROD: 0x100c8,
  PRIQ_CONS: 0x100cc,
} as const;

export const CR0 = layout('CR0', 1, {
  SMMUEN: bits(0),
  PRIQEN: bits(1),
  EVENTQEN: bits(2),
  CMDQEN: bits(3),
  ATSCHK: bits(4),
  VMW: bits(8, 6),
});

export const CR1 = layout('CR1', 1, {
  QUEUE_IC: bits(1, 0),
  QUEUE_OC: bits(3, 2),
  QUEUE_SH: bits(5, 4),
  TABLE_IC: bits(7, 6),
  TABLE_OC: bits(9, 8),
  TABLE_SH: bits(11, 10),
});

export const CR2 = layout('CR2', 1, { E2H: bits(0), RECINVSID: bits(1), PTM: bits(2), REC_CFG_ATS: bits(3) });

export const GBPA = layout('GBPA', 1, {
  MemAttr: bits(3, 0),
  MTCFG: bits(4),
  ALLOCCFG: bits(11, 8),
  SHCFG: bits(13, 12),
  PRIVCFG: bits(17, 16),
  INSTCFG: bits(19, 18),
  ABORT: bits(20),
  UPDATE: bits(31),
});

export const GERROR = layout('GERROR', 1, {
  CMDQ_ERR: bits(0),
  EVENTQ_ABT_ERR: bits(2),
  PRIQ_ABT_ERR: bits(3),
  SFM_ERR: bits(8),
});

export const STRTAB_BASE = layout('STRTAB_BASE', 1, { ADDR: address(55, 6), RA: bits(62) });

/** `FMT` 0 is a linear stream table, 1 a two-level one split at StreamID bit `SPLIT` (6, 8 or 10). */
export const STRTAB_BASE_CFG = layout('STRTAB_BASE_CFG', 1, {
  LOG2SIZE: bits(5, 0),
  SPLIT: bits(10, 6),
  FMT: bits(17, 16),
});

/** CMDQ_BASE, EVENTQ_BASE and PRIQ_BASE: `LOG2SIZE` counts entries. */
export const QUEUE_BASE = layout('QUEUE_BASE', 1, { LOG2SIZE: bits(4, 0), ADDR: address(55, 5), ALLOCATE: bits(62) });

/** CMDQ_CONS: `ERR` 0 none, 1 illegal command, 2 abort on fetch, 3 ATC_INV time-out (§7.1). */
export const CMDQ_CONS = layout('CMDQ_CONS', 1, { RD: bits(19, 0), ERR: bits(30, 24) });

/**
 * EVENTQ_PROD and EVENTQ_CONS, and those of the PRI queue: index with wrap bit; OVFLG, and in CONS its acknowledgement
 * OVACKFLG (§7.4, §8.1).
 */
export const EVENTQ_INDEX = layout('EVENTQ_INDEX', 1, { INDEX: bits(19, 0), OVERFLOW: bits(31) });

export const IDR0 = layout('IDR0', 1, {
  S2P: bits(0),
  S1P: bits(1),
  TTF: bits(3, 2),
  COHACC: bits(4),
  BTM: bits(5),
  HTTU: bits(7, 6),
  HYP: bits(9),
  ATS: bits(10),
  ASID16: bits(12),
  MSI: bits(13),
  PRI: bits(16),
  VMID16: bits(18),
  CD2L: bits(19),
  TTENDIAN: bits(22, 21),
  STALL_MODEL: bits(25, 24),
  TERM_MODEL: bits(26),
  ST_LEVEL: bits(28, 27),
});

export const IDR1 = layout('IDR1', 1, {
  SIDSIZE: bits(5, 0),
  SSIDSIZE: bits(10, 6),
  PRIQS: bits(15, 11),
  EVENTQS: bits(20, 16),
  CMDQS: bits(25, 21),
  ATTR_PERMS_OVR: bits(26),
});

export const IDR3 = layout('IDR3', 1, {
  HAD: bits(2),
  PBHA: bits(3),
  XNX: bits(4),
  FWB: bits(8),
  STT: bits(9),
  RIL: bits(10),
  BBML: bits(12, 11),
  E0PD: bits(13),
});

export const IDR5 = layout('IDR5', 1, {
  OAS: bits(2, 0),
  GRAN4K: bits(4),
  GRAN16K: bits(5),
  GRAN64K: bits(6),
  DS: bits(7),
  VAX: bits(11, 10),
});
