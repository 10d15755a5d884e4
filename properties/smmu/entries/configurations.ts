import {
  CD,
  EATS,
  encode,
  S1_FORMAT,
  S1DSS,
  STE,
  STE_CONFIG,
  type FieldValues,
} from '../../../model/architecture/arm/layout/index.ts';
import { AT } from './memory-map.ts';

/** One content of a configuration entry that software may want, with a name for tables and reports. */
export interface EntryContent {
  readonly name: string;
  readonly lanes: readonly number[];
}

const USE_INCOMING = 1;
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;
const OAS_48 = 5;
/** `S2T0SZ` for 32 bits of intermediate address, with walks that start at level 1. */
const S2_T0SZ = 32;
const S2_START_LEVEL_1 = 1;
/** log2 of the number of context descriptors of an entry with substreams. */
const SUBSTREAM_BITS = 2;

type SteValues = FieldValues<typeof STE>;
type CdValues = FieldValues<typeof CD>;

/** `arm_smmu_make_cdtable_ste()`. */
function stage1(values: SteValues = {}): SteValues {
  const attributes = { S1CIR: WRITE_BACK, S1COR: WRITE_BACK, S1CSH: INNER_SHAREABLE };
  return { V: 1, Config: STE_CONFIG.STAGE1, S1ContextPtr: AT.cdsA, ...attributes, ...values };
}

/** `arm_smmu_make_cdtable_ste()` with substreams in use. */
function substreams(s1dss: number, values: SteValues = {}): SteValues {
  const shared = s1dss === S1DSS.BYPASS ? { SHCFG: USE_INCOMING } : {};
  return stage1({ S1CDMax: SUBSTREAM_BITS, S1DSS: s1dss, ...shared, ...values });
}

/** `arm_smmu_make_s2_domain_ste()`. */
function stage2(vmid: number, table: number, values: SteValues = {}): SteValues {
  return {
    V: 1,
    Config: STE_CONFIG.STAGE2,
    SHCFG: USE_INCOMING,
    S2VMID: vmid,
    S2T0SZ: S2_T0SZ,
    S2SL0: S2_START_LEVEL_1,
    S2IR0: WRITE_BACK,
    S2OR0: WRITE_BACK,
    S2SH0: INNER_SHAREABLE,
    S2PS: OAS_48,
    S2AA64: 1,
    S2PTW: 1,
    S2R: 1,
    S2TTB: table,
    ...values,
  };
}

/** `arm_smmu_make_nested_cd_table_ste()`: stage 2 of the host over stage 1 as the guest wants it. */
function nested(vmid: number, table: number, guest: SteValues): SteValues {
  return { ...stage2(vmid, table), ...guest, Config: STE_CONFIG.NESTED, MEV: 1 };
}

const full = { EATS: EATS.FULL };

const STREAM_ENTRIES: Readonly<Record<string, SteValues>> = {
  invalid: {},
  abort: { V: 1, Config: STE_CONFIG.ABORT },
  bypass: { V: 1, Config: STE_CONFIG.BYPASS, SHCFG: USE_INCOMING },
  s1: stage1(),
  's1 ATS': stage1(full),
  's1 no stall': stage1({ S1STALLD: 1 }),
  's1 other table': stage1({ S1ContextPtr: AT.cdsB }),
  's1 SSIDs': substreams(S1DSS.SUBSTREAM_0),
  's1 SSIDs ATS': substreams(S1DSS.SUBSTREAM_0, full),
  's1 SSIDs terminate': substreams(S1DSS.TERMINATE),
  's1 SSIDs bypass': substreams(S1DSS.BYPASS),
  's1 SSIDs bypass ATS': substreams(S1DSS.BYPASS, full),
  's1 SSIDs two-level': substreams(S1DSS.SUBSTREAM_0, {
    S1Fmt: S1_FORMAT.TWO_LEVEL_64K,
    S1ContextPtr: AT.l1Cds,
  }),
  s2: stage2(1, AT.stage2A),
  's2 ATS': stage2(1, AT.stage2A, full),
  's2 stall': stage2(1, AT.stage2A, { S2S: 1 }),
  's2 parent': stage2(1, AT.stage2A, { S2FWB: 1 }),
  's2 other VM': stage2(2, AT.stage2B),
  nested: nested(1, AT.stage2A, stage1()),
  'nested ATS': nested(1, AT.stage2A, stage1(full)),
  'nested split ATS': nested(1, AT.stage2A, stage1({ EATS: EATS.SPLIT_STAGE })),
  'nested SSIDs': nested(1, AT.stage2A, substreams(S1DSS.SUBSTREAM_0)),
  'nested SSIDs bypass': nested(1, AT.stage2A, substreams(S1DSS.BYPASS)),
  'nested other table': nested(1, AT.stage2A, stage1({ S1ContextPtr: AT.cdsB })),
  'nested other VM': nested(2, AT.stage2B, stage1()),
};

/** A context descriptor of a private domain (`arm_smmu_make_s1_cd`). */
function domain(asid: number, table: number): CdValues {
  return { ...descriptor(asid), ...tables(table) };
}

/** The part that does not depend on a table. */
function descriptor(asid: number): CdValues {
  return { V: 1, AA64: 1, A: 1, R: 1, ASET: 1, EPD1: 1, IPS: OAS_48, ASID: asid, MAIR0: 0x00ff_4400 };
}

function tables(table: number): CdValues {
  return { T0SZ: AT.t0sz, IR0: WRITE_BACK, OR0: WRITE_BACK, SH0: INNER_SHAREABLE, TTB0: table };
}

const CONTEXT_DESCRIPTORS: Readonly<Record<string, CdValues>> = {
  empty: {},
  domain: domain(5, AT.stage1A),
  'domain, other ASID': domain(6, AT.stage1A),
  'other domain': domain(7, AT.stage1B),
  // `arm_smmu_make_sva_cd()`: with a process, and without one once the process is gone.
  SVA: { ...domain(1, AT.stage1P), ASET: 0 },
  'SVA stall': { ...domain(1, AT.stage1P), ASET: 0, S: 1 },
  'SVA quiet': { ...descriptor(1), EPD0: 1, ASET: 0, R: 0 },
  'other SVA': { ...domain(2, AT.stage1B), ASET: 0 },
  'SVA, ASET': domain(1, AT.stage1P),
};

/** Stream table entries, by index. The first is what was never written. */
export const STES: readonly EntryContent[] = Object.entries(STREAM_ENTRIES).map(([name, values]) => ({
  name,
  lanes: encode(STE, values),
}));

/** Context descriptors, by index. The first is what was never written. */
export const CDS: readonly EntryContent[] = Object.entries(CONTEXT_DESCRIPTORS).map(([name, values]) => ({
  name,
  lanes: encode(CD, values),
}));
