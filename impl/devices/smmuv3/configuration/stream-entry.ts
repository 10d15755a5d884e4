import type { GranuleBits } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { EVENT } from '../../../../model/architecture/arm/layout/event.ts';
import { read } from '../../../../model/architecture/arm/layout/layout.ts';
import { S1_FORMAT, S1DSS, STE, STE_CONFIG } from '../../../../model/architecture/arm/layout/ste.ts';
import type { SmmuFeatures } from '../../../../model/architecture/arm/layout/features.ts';
import { stageTwoOf } from './stage-two.ts';
import type { StageTwoConfig } from './stream-config.ts';

/** Words of an STE that the device fetches: 0 to 3 hold all fields that it implements. */
export const STE_WORDS = 4;

/** A decoded STE that is not ILLEGAL (IHI 0070 §5.2). */
export interface StreamEntry {
  readonly config: number;
  readonly stage1: boolean;
  readonly stageTwo: StageTwoConfig | undefined;
  readonly contextPtr: number;
  /** SubstreamID bits that the second level of the CD table resolves; 0 for a linear table. */
  readonly split: number;
  /** log2 of the number of CDs; 0 without substreams. */
  readonly cdMax: number;
  readonly s1dss: number;
  readonly stallDisabled: boolean;
  readonly world: number;
  readonly vmid: number;
  readonly privcfg: number;
  readonly instcfg: number;
  readonly eats: number;
}

const f = STE.fields;

/**
 * Decodes an STE and checks it (§5.2.2).
 *
 * @param lanes of its first four words.
 * @returns undefined if it is ILLEGAL.
 */
export function decodeStreamEntry(
  features: SmmuFeatures,
  e2h: boolean,
  lanes: ArrayLike<number>,
): StreamEntry | undefined {
  if (read(f.V, lanes) === 0) return undefined;
  const config = read(f.Config, lanes);
  const stage1 = config === STE_CONFIG.STAGE1 || config === STE_CONFIG.NESTED;
  const stage2 = config === STE_CONFIG.STAGE2 || config === STE_CONFIG.NESTED;
  const override = features.permissionOverride;
  const base = {
    config,
    stage1,
    stageTwo: undefined,
    contextPtr: 0,
    split: 0,
    cdMax: 0,
    s1dss: 0,
    stallDisabled: false,
    world: 0,
    vmid: 0,
    privcfg: override ? read(f.PRIVCFG, lanes) : 0,
    instcfg: override ? read(f.INSTCFG, lanes) : 0,
    eats: 0,
  };
  if (config < STE_CONFIG.BYPASS) return base;
  if (stage1 && !features.stage1) return undefined;
  if (stage2 && !features.stage2) return undefined;
  if (config === STE_CONFIG.BYPASS) return base;
  const world = worldOf(features, e2h, stage2, lanes);
  if (world === undefined || atsIllegal(features, config, lanes)) return undefined;
  const vmid = features.stage2 && world === 0 ? read(f.S2VMID, lanes) : 0;
  if (!features.vmid16 && vmid > 0xff) return undefined;
  const context = stage1
    ? contextOf(features, lanes)
    : { contextPtr: 0, split: 0, cdMax: 0, s1dss: 0, stallDisabled: false };
  if (context === undefined) return undefined;
  const stageTwo = stage2 ? stageTwoOf(features, lanes) : undefined;
  if (stage2 && stageTwo === undefined) return undefined;
  return { ...base, ...context, stageTwo, world, vmid, eats: features.ats ? read(f.EATS, lanes) : 0 };
}

/** StreamWorld from STRW and E2H; undefined if STRW is reserved. It is used only with stage 1 alone (§5.2, STRW). */
function worldOf(features: SmmuFeatures, e2h: boolean, stage2: boolean, lanes: ArrayLike<number>): number | undefined {
  if (!features.stage1 || !features.hyp || stage2) return 0;
  const strw = read(f.STRW, lanes);
  if ((strw & 1) === 1) return undefined;
  return strw === 0 ? 0 : e2h ? 2 : 1;
}

/** Settings of EATS that are ILLEGAL (§5.2, EATS). */
function atsIllegal(features: SmmuFeatures, config: number, lanes: ArrayLike<number>): boolean {
  if (!features.ats) return false;
  const eats = read(f.EATS, lanes);
  const stalls = read(f.S2S, lanes) === 1;
  if (eats === 2) return config !== STE_CONFIG.NESTED || stalls;
  return eats === 1 && stalls && config >= STE_CONFIG.STAGE2;
}

/** The fields for stage 1; undefined if one of them is ILLEGAL. */
function contextOf(
  features: SmmuFeatures,
  lanes: ArrayLike<number>,
): Pick<StreamEntry, 'contextPtr' | 'split' | 'cdMax' | 's1dss' | 'stallDisabled'> | undefined {
  const stallDisabled = read(f.S1STALLD, lanes) === 1;
  if (stallDisabled && features.stallModel !== 0) return undefined;
  const cdMax = features.ssidSize === 0 ? 0 : read(f.S1CDMax, lanes);
  if (cdMax > features.ssidSize) return undefined;
  const format = cdMax === 0 ? S1_FORMAT.LINEAR : read(f.S1Fmt, lanes);
  const twoLevel = format === S1_FORMAT.TWO_LEVEL_4K || format === S1_FORMAT.TWO_LEVEL_64K;
  if (twoLevel && !features.cd2l) return undefined;
  const contextPtr = read(f.S1ContextPtr, lanes);
  // Beyond the output size (with stage 2: the IPA size, which is the same) the STE is ILLEGAL (§3.4.3 notes 1, 2).
  if (contextPtr >= 2 ** features.oas) return undefined;
  const split = twoLevel ? (format === S1_FORMAT.TWO_LEVEL_4K ? 6 : 10) : 0;
  return { contextPtr, split, cdMax, s1dss: read(f.S1DSS, lanes), stallDisabled };
}

/** What SubstreamID and S1DSS select: the CD of an index, bypass of stage 1, or an event. */
export type SubstreamChoice = { readonly cd: number } | { readonly event: number } | 'bypass';

/** See `SubstreamChoice` (§5.2, S1DSS; §7.3.7, §7.3.9). `substream` -1 means none. */
export function selectSubstream({ stage1, cdMax, s1dss }: StreamEntry, substream: number): SubstreamChoice {
  if (substream >= 0) {
    if (!stage1 || cdMax === 0 || substream >= 2 ** cdMax) return { event: EVENT.C_BAD_SUBSTREAMID };
    if (substream === 0 && s1dss === S1DSS.SUBSTREAM_0) return { event: EVENT.F_STREAM_DISABLED };
    return { cd: substream };
  }
  if (!stage1) return 'bypass';
  if (cdMax === 0 || s1dss === S1DSS.SUBSTREAM_0) return { cd: 0 };
  return s1dss === S1DSS.BYPASS ? 'bypass' : { event: EVENT.F_STREAM_DISABLED };
}

/** Granule by STE.S2TG and CD.TG0. */
export const GRANULE_OF_TG0: readonly (GranuleBits | undefined)[] = [12, 16, 14, undefined];

/** Rounds an address down to a power of two. */
export function alignDown(address: number, size: number): number {
  return Math.floor(address / size) * size;
}
