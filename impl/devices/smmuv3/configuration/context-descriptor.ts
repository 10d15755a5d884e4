import { ADDRESS_SIZES_BITS, CD } from '../../../../model/architecture/arm/layout/cd.ts';
import { levelShift, startLevel, type GranuleBits } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { read } from '../../../../model/architecture/arm/layout/layout.ts';
import type { SmmuFeatures } from '../../../../model/architecture/arm/layout/features.ts';
import { tableKey, type FaultControl, type TableConfig } from './stream-config.ts';
import { GRANULE_OF_TG0, type StreamEntry } from './stream-entry.ts';

/** Words of a CD that the device fetches: 0 to 2 hold all fields that it implements. */
export const CD_WORDS = 3;

/** A decoded CD that is not ILLEGAL (IHI 0070 §5.4). */
export interface ContextDescriptor {
  readonly asid: number;
  readonly aset: number;
  readonly low: TableConfig | undefined;
  readonly high: TableConfig | undefined;
  readonly tbiLow: boolean;
  readonly tbiHigh: boolean;
  readonly faults: FaultControl;
}

/** StreamWorld NS-EL2 without E2H: one translation table, no ASIDs, one privilege level. */
const EL2 = 1;

const f = CD.fields;
const GRANULE_OF_TG1: readonly (GranuleBits | undefined)[] = [undefined, 14, 12, 16];

/**
 * Decodes a CD and checks it (§5.4.2).
 *
 * @param lanes of its first three words.
 * @returns undefined if it is ILLEGAL.
 */
export function decodeContextDescriptor(
  features: SmmuFeatures,
  entry: StreamEntry,
  lanes: ArrayLike<number>,
): ContextDescriptor | undefined {
  if (read(f.V, lanes) === 0) return undefined;
  const stall = read(f.S, lanes) === 1;
  const abort = read(f.A, lanes) === 1;
  if (stall && (entry.stallDisabled || features.stallModel === 1)) return undefined;
  if (!stall && features.stallModel === 2) return undefined;
  if (!abort && features.termModel) return undefined;
  if (read(f.AA64, lanes) === 0 || read(f.HA, lanes) === 1 || read(f.HD, lanes) === 1) return undefined;
  const el2 = entry.world === EL2;
  const asid = el2 ? 0 : read(f.ASID, lanes);
  if (!features.asid16 && asid > 0xff) return undefined;
  // In EL2 there is no TTB1, and EPD0 is ignored (§5.4, EPD0).
  const walks0 = el2 || read(f.EPD0, lanes) === 0;
  const walks1 = !el2 && read(f.EPD1, lanes) === 0;
  if ((walks0 || walks1) && read(f.ENDI, lanes) === 1) return undefined;
  const low = walks0 ? tableOf(features, el2, lanes, 0) : undefined;
  const high = walks1 ? tableOf(features, el2, lanes, 1) : undefined;
  if ((walks0 && low === undefined) || (walks1 && high === undefined)) return undefined;
  return {
    asid,
    aset: el2 ? 0 : read(f.ASET, lanes),
    low,
    high,
    tbiLow: read(f.TBI0, lanes) === 1,
    tbiHigh: el2 ? read(f.TBI0, lanes) === 1 : read(f.TBI1, lanes) === 1,
    faults: { abort, record: read(f.R, lanes) === 1, stall },
  };
}

/** One half of a CD; undefined if its TGx, TxSZ or TTBx makes the CD ILLEGAL. */
function tableOf(
  features: SmmuFeatures,
  onePrivilege: boolean,
  lanes: ArrayLike<number>,
  region: 0 | 1,
): TableConfig | undefined {
  const granule = region === 0 ? GRANULE_OF_TG0[read(f.TG0, lanes)] : GRANULE_OF_TG1[read(f.TG1, lanes)];
  if (granule === undefined || !features.granules.includes(granule)) return undefined;
  const tsz = read(region === 0 ? f.T0SZ : f.T1SZ, lanes);
  const largest = features.stt ? (granule === 16 ? 47 : 48) : 39;
  if (tsz < 16 || tsz > largest) return undefined;
  const outputBits = Math.min(ADDRESS_SIZES_BITS[read(f.IPS, lanes)] ?? 52, features.oas);
  const base = read(region === 0 ? f.TTB0 : f.TTB1, lanes);
  if (base >= 2 ** (granule === 16 ? outputBits : Math.min(48, outputBits))) return undefined;
  const inputBits = 64 - tsz;
  const level = startLevel(granule, inputBits);
  const indexBits = inputBits - levelShift(granule, level);
  const bytes = Math.max(8 * 2 ** indexBits, outputBits === 52 ? 64 : 16);
  const table: Omit<TableConfig, 'key'> = {
    granule,
    inputBits,
    outputBits,
    table: Math.floor(base / bytes) * bytes,
    level,
    indexBits,
    accessFlagDisabled: read(f.AFFD, lanes) === 1,
    hierarchyDisabled: features.had && read(region === 0 ? f.HAD0 : f.HAD1, lanes) === 1,
    writeNotExecute: read(f.WXN, lanes) === 1,
    privilegedAccessNever: !onePrivilege && read(f.PAN, lanes) === 1,
    topByteIgnored: read(region === 0 ? f.TBI0 : f.TBI1, lanes) === 1,
    onePrivilege,
  };
  return { ...table, key: tableKey(table, region) };
}
