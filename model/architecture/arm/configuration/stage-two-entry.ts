import type { SmmuFeatures } from '../layout/features.ts';
import { levelShift, type GranuleBits } from '../layout/descriptor.ts';
import { extract, read } from '../layout/layout.ts';
import { STE } from '../layout/ste.ts';
import { FAULT_MODE, type FaultMode } from '../outcomes/outcome.ts';
import { effectiveOutputBits, interpretationKey, type Interpretation } from '../translation/descriptor-step.ts';
import { alignDown } from './align.ts';
import type { TranslationTable } from './context-descriptor.ts';

/** What one version of an STE says about stage 2 (IHI 0070 §5.2, the fields S2*). */
export interface StageTwoEntry {
  readonly vmid: number;
  /** End of the Translation-related faults of stage 2: S2R and S2S, with an abort where it is not a stall (§5.5). */
  readonly faultMode: FaultMode;
  readonly table: TranslationTable;
}

const f = STE.fields;
const GRANULE_OF_S2TG: readonly (GranuleBits | undefined)[] = [12, 16, 14, undefined];
/** Tables that may be concatenated at the start of a stage 2 walk, as log2 (Arm ARM D8.2). */
const CONCATENATION_BITS = 4;

/** Decodes and checks the stage 2 fields of an STE with Config 6 or 7 (§5.2.2); undefined if they are ILLEGAL. */
export function decodeStageTwo(features: SmmuFeatures, lanes: ArrayLike<number>): StageTwoEntry | undefined {
  const low = lanes[4] as number;
  const high = lanes[5] as number;
  const vmid = extract(f.S2VMID, low, high);
  if (!features.vmid16 && vmid > 0xff) return undefined;
  const stalls = extract(f.S2S, low, high) === 1;
  if (features.stallModel === 1 && stalls) return undefined;
  if (features.stallModel === 2 && !stalls) return undefined;
  // Neither VMSAv8-32 nor VMSAv9-128 tables, no hardware update of flags, and only little-endian tables (IDR0, IDR5).
  if (extract(f.S2AA64, low, high) === 0) return undefined;
  if (extract(f.S2HA, low, high) === 1 || extract(f.S2HD, low, high) === 1) return undefined;
  if (extract(f.S2ENDI, low, high) === 1) return undefined;
  const table = decodeTable(features, lanes);
  if (table === undefined) return undefined;
  const recorded = extract(f.S2R, low, high) === 1;
  const faultMode = stalls ? FAULT_MODE.STALL : recorded ? FAULT_MODE.ABORT_RECORD : FAULT_MODE.ABORT_SILENT;
  return { vmid, faultMode, table };
}

/** S2TG, S2T0SZ, S2SL0, S2PS and S2TTB; undefined if they are out of range or do not fit each other. */
function decodeTable(features: SmmuFeatures, lanes: ArrayLike<number>): TranslationTable | undefined {
  const granule = GRANULE_OF_S2TG[read(f.S2TG, lanes)];
  if (granule === undefined || !features.granules.includes(granule)) return undefined;
  const tsz = read(f.S2T0SZ, lanes);
  if (tsz < smallestTsz(features, granule) || tsz > largestTsz(features, granule)) return undefined;
  const inputBits = 64 - tsz;
  const level = stageTwoStartLevel(features, granule, read(f.S2SL0, lanes));
  if (level === undefined || !startsAt(granule, inputBits, level)) return undefined;
  const outputBits = effectiveOutputBits(read(f.S2PS, lanes), features.oas);
  const base = read(f.S2TTB, lanes);
  const limit = granule === 16 ? outputBits : Math.min(48, outputBits);
  if (base >= 2 ** limit) return undefined;
  const bytes = 8 * 2 ** (inputBits - levelShift(granule, level));
  const interpretation: Omit<Interpretation, 'key'> = {
    granule,
    region: 0,
    inputBits,
    outputBits,
    affd: read(f.S2AFFD, lanes) === 1,
    // Stage 2 has no hierarchical attributes, and none of the controls that follow in a CD.
    had: true,
    wxn: false,
    pan: false,
    el2: false,
    tbi: false,
    stage2: {
      xnx: features.xnx,
      fwb: features.fwb && read(f.S2FWB, lanes) === 1,
      ptw: read(f.S2PTW, lanes) === 1,
    },
  };
  return {
    interpretation: { key: interpretationKey(interpretation), ...interpretation },
    address: alignDown(base, Math.max(bytes, outputBits === 52 ? 64 : 16)),
    level,
  };
}

/** From SMMUv3.1 values out of range are ILLEGAL; IAS is OAS where VMSAv8-32 is not implemented (§3.4, §5.2). */
function smallestTsz({ oas }: SmmuFeatures, granule: GranuleBits): number {
  return Math.max(granule === 16 ? 12 : 16, 64 - oas);
}

function largestTsz({ stt }: SmmuFeatures, granule: GranuleBits): number {
  if (!stt) return 39;
  return granule === 16 ? 47 : 48;
}

/** Level at which S2SL0 starts a walk; undefined for what is reserved for the granule and OAS (Arm ARM D8.2, VTCR_EL2.SL0). */
function stageTwoStartLevel({ oas, stt }: SmmuFeatures, granule: GranuleBits, sl0: number): number | undefined {
  if (granule === 12) {
    if (sl0 === 3) return stt ? 3 : undefined;
    return sl0 === 2 && oas < 44 ? undefined : 2 - sl0;
  }
  if (sl0 === 3) return undefined;
  if (sl0 === 2 && oas < (granule === 14 ? 42 : 44)) return undefined;
  return 3 - sl0;
}

/** Whether a region fits a start level: at least two entries, at most sixteen concatenated tables (Arm ARM D8.2). */
function startsAt(granule: GranuleBits, inputBits: number, level: number): boolean {
  const entryBits = inputBits - levelShift(granule, level);
  return entryBits >= 1 && entryBits <= granule - 3 + CONCATENATION_BITS;
}
