import { ADDRESS_SIZES_BITS } from '../../../../model/architecture/arm/layout/cd.ts';
import { levelShift, type GranuleBits } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { read } from '../../../../model/architecture/arm/layout/layout.ts';
import { STE } from '../../../../model/architecture/arm/layout/ste.ts';
import type { SmmuFeatures } from '../../../../model/architecture/arm/layout/features.ts';
import { tableKey, type StageTwoConfig, type TableConfig } from './stream-config.ts';

const f = STE.fields;
const GRANULE_OF_S2TG: readonly (GranuleBits | undefined)[] = [12, 16, 14, undefined];

/**
 * Stage 2 of an STE (IHI 0070 §5.2, §5.2.2). VMSAv8-32 tables, big-endian tables and hardware update of flags are not
 * implemented.
 *
 * @returns undefined if one of the fields is ILLEGAL.
 */
export function stageTwoOf(features: SmmuFeatures, lanes: ArrayLike<number>): StageTwoConfig | undefined {
  const stalls = read(f.S2S, lanes) === 1;
  if (features.stallModel === 1 && stalls) return undefined;
  if (features.stallModel === 2 && !stalls) return undefined;
  if (read(f.S2AA64, lanes) === 0 || read(f.S2ENDI, lanes) === 1) return undefined;
  if (read(f.S2HA, lanes) === 1 || read(f.S2HD, lanes) === 1) return undefined;
  const granule = GRANULE_OF_S2TG[read(f.S2TG, lanes)];
  if (granule === undefined || !features.granules.includes(granule)) return undefined;
  const outputBits = Math.min(ADDRESS_SIZES_BITS[read(f.S2PS, lanes)] ?? 52, features.oas);
  const base = read(f.S2TTB, lanes);
  // The address has 52 bits; smaller granules are held to 48 (§5.2, S2TTB).
  if (base >= 2 ** (granule === 16 ? outputBits : Math.min(48, outputBits))) return undefined;
  const inputBits = inputBitsOf(features, granule, read(f.S2T0SZ, lanes));
  if (inputBits === undefined) return undefined;
  const level = startLevelOf(features, granule, read(f.S2SL0, lanes));
  if (level === undefined) return undefined;
  const indexBits = inputBits - levelShift(granule, level);
  // At least one bit is resolved at the first level, and at most 16 tables are concatenated there (Arm ARM D8.2).
  if (indexBits < 1 || indexBits > granule - 3 + 4) return undefined;
  const bytes = Math.max(8 * 2 ** indexBits, outputBits === 52 ? 64 : 16);
  const table: Omit<TableConfig, 'key'> = {
    granule,
    inputBits,
    outputBits,
    table: Math.floor(base / bytes) * bytes,
    level,
    indexBits,
    accessFlagDisabled: read(f.S2AFFD, lanes) === 1,
    hierarchyDisabled: false,
    writeNotExecute: false,
    privilegedAccessNever: false,
    topByteIgnored: false,
    onePrivilege: false,
  };
  return {
    table: { ...table, key: tableKey(table, 0) },
    protectWalks: read(f.S2PTW, lanes) === 1,
    forceWriteBack: features.fwb && read(f.S2FWB, lanes) === 1,
    faults: { abort: true, record: read(f.S2R, lanes) === 1, stall: stalls },
  };
}

/** Bits of the input range for S2T0SZ; undefined if it is out of range, which is ILLEGAL from SMMUv3.1 on. */
function inputBitsOf(features: SmmuFeatures, granule: GranuleBits, t0sz: number): number | undefined {
  const largest = features.stt ? (granule === 16 ? 47 : 48) : 39;
  // Only VMSAv8-64 is implemented, so the IPA size equals the output size (§3.4).
  const smallest = Math.max(granule === 16 ? 12 : 16, 64 - features.oas);
  return t0sz < smallest || t0sz > largest ? undefined : 64 - t0sz;
}

/** Level of the first table for S2SL0 (Arm ARM, AArch64.S2InvalidSL); undefined where the value is invalid. */
function startLevelOf(features: SmmuFeatures, granule: GranuleBits, sl0: number): number | undefined {
  if (granule === 12) {
    if (sl0 === 3) return features.stt ? 3 : undefined;
    return sl0 === 2 && features.oas < 44 ? undefined : 2 - sl0;
  }
  // Level 0 of 16 KiB tables needs 52-bit descriptors, that of 64 KiB tables is not there.
  if (sl0 === 3) return undefined;
  return sl0 === 2 && features.oas < (granule === 14 ? 42 : 44) ? undefined : 3 - sl0;
}
