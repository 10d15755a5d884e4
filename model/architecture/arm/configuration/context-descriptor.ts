import { effectiveOutputBits, interpretationKey, type Interpretation } from '../translation/descriptor-step.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import { CD } from '../layout/cd.ts';
import { levelShift, startLevel, type GranuleBits } from '../layout/descriptor.ts';
import { extract, read } from '../layout/layout.ts';
import { FAULT_MODE, type FaultMode } from '../outcomes/outcome.ts';
import { EL2 } from '../translation/stream-world.ts';
import { alignDown } from './align.ts';
import type { StageOneEntry } from './stream-entry.ts';

/** The words of a CD that this model looks at: 0 (control), 1 (TTB0) and 2 (TTB1). */
export const CD_WORDS = 3;

/** What one version of a CD says, reached through one version of an STE (IHI 0070 §5.4). */
export interface ContextDescriptor {
  readonly asid: number;
  readonly aset: number;
  readonly faultMode: FaultMode;
  /** TTB0 and TTB1; undefined where walks are disabled (EPDx). */
  readonly tables: readonly [TranslationTable | undefined, TranslationTable | undefined];
}

/** Where and how the walks of one half of the address space start. */
export interface TranslationTable {
  readonly interpretation: Interpretation;
  /** Aligned to the size of the starting-level table. */
  readonly address: number;
  readonly level: number;
}

const f = CD.fields;
const GRANULE_OF_TG0: readonly (GranuleBits | undefined)[] = [12, 16, 14, undefined];
const GRANULE_OF_TG1: readonly (GranuleBits | undefined)[] = [undefined, 14, 12, 16];

/** Decodes and checks the first three words of a CD (§5.4.2, CdIllegal); undefined if it is ILLEGAL. */
export function decodeContextDescriptor(
  features: SmmuFeatures,
  entry: StageOneEntry,
  lanes: ArrayLike<number>,
): ContextDescriptor | undefined {
  const low = lanes[0] as number;
  const high = lanes[1] as number;
  const stalls = extract(f.S, low, high) === 1;
  if (extract(f.V, low, high) === 0) return undefined;
  if (entry.stallDisabled && stalls) return undefined;
  if (features.termModel && extract(f.A, low, high) === 0) return undefined;
  if (features.stallModel === 1 && stalls) return undefined;
  if (features.stallModel === 2 && !stalls) return undefined;
  // VMSAv8-32 tables are not implemented (IDR0.TTF = 0b10), nor is hardware update of flags (IDR0.HTTU = 0).
  if (extract(f.AA64, low, high) === 0) return undefined;
  if (extract(f.HA, low, high) === 1 || extract(f.HD, low, high) === 1) return undefined;
  // EL2 has neither ASIDs, nor TTB1, nor a way to disable walks (§5.4, EPD0, ASID, CD notes).
  const el2 = entry.vmid === EL2;
  const asid = el2 ? 0 : extract(f.ASID, low, high);
  if (!features.asid16 && asid > 0xff) return undefined;
  const walks0 = el2 || extract(f.EPD0, low, high) === 0;
  const walks1 = !el2 && extract(f.EPD1, low, high) === 0;
  // Only little-endian tables are implemented (IDR0.TTENDIAN = 0b10).
  if ((walks0 || walks1) && extract(f.ENDI, low, high) === 1) return undefined;
  const table0 = walks0 ? decodeTable(features, lanes, 0, el2) : undefined;
  const table1 = walks1 ? decodeTable(features, lanes, 1, el2) : undefined;
  if ((walks0 && table0 === undefined) || (walks1 && table1 === undefined)) return undefined;
  return {
    asid,
    aset: extract(f.ASET, low, high),
    faultMode: faultModeOf(extract(f.A, low, high), extract(f.R, low, high), stalls),
    tables: [table0, table1],
  };
}

/** The A, R and S flags (§5.5). */
function faultModeOf(abort: number, record: number, stalls: boolean): FaultMode {
  if (stalls) return FAULT_MODE.STALL;
  if (abort === 1) return record === 1 ? FAULT_MODE.ABORT_RECORD : FAULT_MODE.ABORT_SILENT;
  return record === 1 ? FAULT_MODE.RAZWI_RECORD : FAULT_MODE.RAZWI_SILENT;
}

/** One half of a CD; undefined if its TxSZ, TGx or TTBx makes the CD ILLEGAL. */
function decodeTable(
  features: SmmuFeatures,
  lanes: ArrayLike<number>,
  region: 0 | 1,
  el2: boolean,
): TranslationTable | undefined {
  const granule = region === 0 ? GRANULE_OF_TG0[read(f.TG0, lanes)] : GRANULE_OF_TG1[read(f.TG1, lanes)];
  if (granule === undefined || !features.granules.includes(granule)) return undefined;
  const tsz = read(region === 0 ? f.T0SZ : f.T1SZ, lanes);
  const largest = features.stt ? (granule === 16 ? 47 : 48) : 39;
  // Inputs of 52 bits (IDR5.VAX) are not implemented, so the smallest TxSZ is 16.
  if (tsz < 16 || tsz > largest) return undefined;
  const outputBits = effectiveOutputBits(read(f.IPS, lanes), features.oas);
  const base = read(region === 0 ? f.TTB0 : f.TTB1, lanes);
  const limit = granule === 16 ? outputBits : Math.min(48, outputBits);
  if (base >= 2 ** limit) return undefined;
  const inputBits = 64 - tsz;
  const level = startLevel(granule, inputBits);
  const bytes = 8 * 2 ** (inputBits - levelShift(granule, level));
  const interpretation = {
    granule,
    region,
    inputBits,
    outputBits,
    affd: read(f.AFFD, lanes) === 1,
    had: features.had && read(region === 0 ? f.HAD0 : f.HAD1, lanes) === 1,
    wxn: read(f.WXN, lanes) === 1,
    pan: !el2 && read(f.PAN, lanes) === 1,
    tbi: read(region === 0 ? f.TBI0 : f.TBI1, lanes) === 1,
    el2,
    stage2: undefined,
  };
  return {
    interpretation: { key: interpretationKey(interpretation), ...interpretation },
    address: alignDown(base, Math.max(bytes, outputBits === 52 ? 64 : 16)),
    level,
  };
}
