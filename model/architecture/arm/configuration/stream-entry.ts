import type { SmmuFeatures } from '../layout/features.ts';
import { EVENT } from '../layout/event.ts';
import { extract } from '../layout/layout.ts';
import { FAULT_MODE } from '../outcomes/outcome.ts';
import { EATS, S1_FORMAT, S1DSS, STE, STE_CONFIG, STREAM_TABLE_L1, STREAM_WORLD } from '../layout/ste.ts';
import { EL2, EL2_E2H } from '../translation/stream-world.ts';
import { alignDown } from './align.ts';
import { decodeStageTwo, type StageTwoEntry } from './stage-two-entry.ts';

export { alignDown } from './align.ts';

/** The words of an STE that this model looks at: 0 to 3. The others belong to the Secure state and to partitioning. */
export const STE_WORDS = 4;

/** What one version of an STE says (IHI 0070 §5.2). */
export type StreamEntry =
  | { readonly kind: 'illegal' }
  | { readonly kind: 'abort' }
  | { readonly kind: 'bypass' }
  | El2Entry
  | StageOneEntry
  | StageTwoOnlyEntry;

/** What every STE that translates says. */
interface TranslatingEntry {
  /**
   * Effective `STE.EATS`: 0 where ATS is not implemented, and for the checks of a device permission table, which are
   * not either. Split-stage ATS counts as 0 while CR0.ATSCHK is 0, which is not decided here.
   */
  readonly eats: number;
  /** PRIVCFG in bits [1:0], INSTCFG in bits [3:2]; 0 where the overrides are not implemented. */
  readonly override: number;
}

/** An STE that enables stage 2 only (Config 6). */
export interface StageTwoOnlyEntry extends TranslatingEntry {
  readonly kind: 'stage2';
  readonly stage2: StageTwoEntry;
}

/** An STE that enables stage 1 for EL2 (STRW 2): CR2.E2H, which is not part of it, says which regime that is. */
export interface El2Entry {
  readonly kind: 'el2';
  readonly plain: StageOneEntry;
  readonly e2h: StageOneEntry;
}

/** An STE that enables stage 1, with stage 2 (Config 7) or without (Config 5). */
export interface StageOneEntry extends TranslatingEntry {
  readonly kind: 'stage1';
  /** A PA, or with stage 2 an IPA. */
  readonly contextPtr: number;
  /** SubstreamID bits resolved by the second level of the CD table; -1 for a linear table. */
  readonly split: number;
  /** log2 of the number of CDs, 0 if substreams are off. */
  readonly cdMax: number;
  readonly s1dss: number;
  /** 0 where stage 2 is not implemented; of EL2 as `stream-world.ts` has it. */
  readonly vmid: number;
  readonly stallDisabled: boolean;
  /** Translates the output of stage 1, its table walks, and the fetches of CDs; undefined for Config 5. */
  readonly stage2: StageTwoEntry | undefined;
}

const f = STE.fields;

/** Decodes and checks the first four words of an STE for the Non-secure world (§5.2.2, SteIllegal). */
export function decodeStreamEntry(features: SmmuFeatures, lanes: ArrayLike<number>): StreamEntry {
  const low0 = lanes[0] as number;
  const high0 = lanes[1] as number;
  const low1 = lanes[2] as number;
  const high1 = lanes[3] as number;
  if (extract(f.V, low0, high0) === 0) return ILLEGAL;
  const config = extract(f.Config, low0, high0);
  if (config < STE_CONFIG.BYPASS) return { kind: 'abort' };
  if (config === STE_CONFIG.BYPASS) return { kind: 'bypass' };
  const stage1 = (config & 1) !== 0;
  const nested = config === STE_CONFIG.NESTED;
  if (stage1 && !features.stage1) return ILLEGAL;
  if ((config & 2) !== 0 && !features.stage2) return ILLEGAL;
  const stage2 = (config & 2) === 0 ? undefined : decodeStageTwo(features, lanes);
  if ((config & 2) !== 0 && stage2 === undefined) return ILLEGAL;
  const eats = features.ats ? extract(f.EATS, low1, high1) : EATS.NONE;
  if (!eatsFits(eats, nested, stage2)) return ILLEGAL;
  const override = features.permissionOverride
    ? extract(f.PRIVCFG, low1, high1) | (extract(f.INSTCFG, low1, high1) << 2)
    : 0;
  const common = { eats: eats === 3 ? EATS.NONE : eats, override };
  if (!stage1) return { kind: 'stage2', ...common, stage2: stage2 as StageTwoEntry };
  // STRW matters to stage 1 alone, and only where EL2 is implemented.
  const world = features.hyp && stage2 === undefined ? extract(f.STRW, low1, high1) : STREAM_WORLD.EL1;
  if ((world & 1) !== 0) return ILLEGAL;
  const entry = decodeStageOne(features, lanes, common, stage2, world === STREAM_WORLD.EL2);
  if (entry === undefined) return ILLEGAL;
  if (world !== STREAM_WORLD.EL2) return entry;
  return { kind: 'el2', plain: { ...entry, vmid: EL2 }, e2h: { ...entry, vmid: EL2_E2H } };
}

const ILLEGAL: StreamEntry = { kind: 'illegal' };

/** Whether EATS fits the rest of the STE (§5.2, EATS): no ATS with a stage 2 that stalls, and split stages need both. */
function eatsFits(eats: number, nested: boolean, stage2: StageTwoEntry | undefined): boolean {
  const stalls = stage2?.faultMode === FAULT_MODE.STALL;
  if (eats === EATS.SPLIT_STAGE) return nested && !stalls;
  return eats !== EATS.FULL || !stalls;
}

/** The stage 1 fields of an STE with Config 5 or 7; undefined if they are ILLEGAL. */
function decodeStageOne(
  features: SmmuFeatures,
  lanes: ArrayLike<number>,
  common: TranslatingEntry,
  stage2: StageTwoEntry | undefined,
  el2: boolean,
): StageOneEntry | undefined {
  const low0 = lanes[0] as number;
  const high0 = lanes[1] as number;
  const low1 = lanes[2] as number;
  const high1 = lanes[3] as number;
  const stallDisabled = extract(f.S1STALLD, low1, high1) === 1;
  if (stallDisabled && features.stallModel !== 0) return undefined;
  const cdMax = features.ssidSize === 0 ? 0 : extract(f.S1CDMax, low0, high0);
  if (cdMax > features.ssidSize) return undefined;
  const format = cdMax === 0 ? S1_FORMAT.LINEAR : extract(f.S1Fmt, low0, high0);
  const twoLevel = format === S1_FORMAT.TWO_LEVEL_4K || format === S1_FORMAT.TWO_LEVEL_64K;
  if (twoLevel && !features.cd2l) return undefined;
  const contextPtr = extract(f.S1ContextPtr, low0, high0);
  // From SMMUv3.1 a pointer beyond the output size makes the STE illegal; an IPA may fault at stage 2 instead (§3.4.3).
  if (stage2 === undefined && contextPtr >= 2 ** features.oas) return undefined;
  const vmid = features.stage2 ? extract(f.S2VMID, lanes[4] as number, lanes[5] as number) : 0;
  // EL2 has no VMIDs (IgnoreSTES2VMID).
  if (!el2 && !features.vmid16 && vmid > 0xff) return undefined;
  const split = twoLevel ? (format === S1_FORMAT.TWO_LEVEL_4K ? 6 : 10) : -1;
  const s1dss = extract(f.S1DSS, low1, high1);
  return { kind: 'stage1', ...common, contextPtr, split, cdMax, s1dss, vmid, stallDisabled, stage2 };
}

/** Where a transaction goes next after a stage 1 STE: an event, bypass, or the CD of an index. */
export type SubstreamChoice =
  | { readonly kind: 'event'; readonly event: number }
  | { readonly kind: 'bypass' }
  | { readonly kind: 'cd'; readonly index: number };

/** What SubstreamID and STE.S1DSS select (§5.2, S1DSS and S1CDMax; §7.3.7, §7.3.9). `substream` -1 means none. */
export function selectSubstream(entry: StageOneEntry, substream: number): SubstreamChoice {
  if (substream >= 0) {
    if (entry.cdMax === 0 || substream >= 2 ** entry.cdMax) return { kind: 'event', event: EVENT.C_BAD_SUBSTREAMID };
    if (substream === 0 && entry.s1dss === S1DSS.SUBSTREAM_0) return { kind: 'event', event: EVENT.F_STREAM_DISABLED };
    return { kind: 'cd', index: substream };
  }
  if (entry.cdMax === 0 || entry.s1dss === S1DSS.SUBSTREAM_0) return { kind: 'cd', index: 0 };
  if (entry.s1dss === S1DSS.BYPASS) return { kind: 'bypass' };
  return { kind: 'event', event: EVENT.F_STREAM_DISABLED };
}

/** Address of the CD of an index in a linear table: the table is aligned to its size (§5.2, S1Fmt). */
export function linearCdAddress(entry: StageOneEntry, index: number): number {
  return alignDown(entry.contextPtr, 64 * 2 ** entry.cdMax) + 64 * index;
}

/** Address of the L1CD that leads to the CD of an index: the L1 table is aligned to its size, at least 64 bytes. */
export function l1CdAddress(entry: StageOneEntry, index: number): number {
  const entries = 2 ** Math.max(0, entry.cdMax - entry.split);
  return alignDown(entry.contextPtr, Math.max(64, 8 * entries)) + 8 * Math.floor(index / 2 ** entry.split);
}

/** Where a two-level stream table leads for a StreamID: the address of the STE, or undefined (C_BAD_STREAMID, §5.1). */
export function steFromL1(low: number, high: number, streamId: number, split: number): number | undefined {
  const span = extract(STREAM_TABLE_L1.fields.Span, low, high);
  if (span === 0 || span > 11 || span > split + 1) return undefined;
  const index = streamId % 2 ** split;
  const entries = 2 ** (span - 1);
  if (index >= entries) return undefined;
  return alignDown(extract(STREAM_TABLE_L1.fields.L2Ptr, low, high), 64 * entries) + 64 * index;
}
