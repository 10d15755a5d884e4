import type { GranuleBits } from '../../../../model/architecture/arm/layout/descriptor.ts';
import { neededPermits, NONE_NEEDED } from './needed-permits.ts';

/** What the configuration of a stream (and of a substream of it) does with a transaction. */
export const ROUTE = { REFUSE: 0, ABORT: 1, BYPASS: 2, TRANSLATE: 3 } as const;
export type Route = (typeof ROUTE)[keyof typeof ROUTE];

/** How a translation-related fault ends (IHI 0070 §5.5): the A, R and S flags; stage 2 has A fixed at 1. */
export interface FaultControl {
  readonly abort: boolean;
  readonly record: boolean;
  readonly stall: boolean;
}

/** Where and how the walks of one translation table start. */
export interface TableConfig {
  readonly granule: GranuleBits;
  /** Bits of the input range. */
  readonly inputBits: number;
  readonly outputBits: number;
  /** Address of the first table, aligned to its size. */
  readonly table: number;
  readonly level: number;
  /** Bits of the index into the first table; more than the granule has with concatenated tables of stage 2. */
  readonly indexBits: number;
  /** CD.AFFD or STE.S2AFFD: the Access flag counts as set. */
  readonly accessFlagDisabled: boolean;
  /** CD.HADx; false at stage 2, whose tables have no hierarchical attributes. */
  readonly hierarchyDisabled: boolean;
  /** CD.WXN, CD.PAN. */
  readonly writeNotExecute: boolean;
  readonly privilegedAccessNever: boolean;
  /** CD.TBIx. */
  readonly topByteIgnored: boolean;
  /** The regime has one privilege level (EL2 without E2H): AP[1] and PXN have no meaning. */
  readonly onePrivilege: boolean;
  /**
   * Stands for all of the above that says how descriptors are read. A table descriptor that was cached under another key
   * must not be gone on from: the fields behind it may have changed since.
   */
  readonly key: number;
}

/** Stage 2 as an STE sets it up (§5.2). */
export interface StageTwoConfig {
  readonly table: TableConfig;
  /** S2PTW: fetches of CDs and stage 1 descriptors must not go to Device memory. */
  readonly protectWalks: boolean;
  /** S2FWB: MemAttr has another encoding. */
  readonly forceWriteBack: boolean;
  readonly faults: FaultControl;
}

/** Everything that an STE and a CD say about a transaction. Decoded once, then kept in the configuration cache. */
export interface StreamConfig {
  readonly route: Route;
  /** With `REFUSE`: the event, else 0. */
  readonly event: number;
  /** With `TRANSLATE`: the stages that translate. */
  readonly stage1: boolean;
  readonly stageTwo: StageTwoConfig | undefined;
  /** StreamWorld: 0 NS-EL1, 1 NS-EL2, 2 NS-EL2-E2H (§3.3.3). */
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  readonly aset: number;
  /** TTB0 and TTB1; undefined where walks are disabled (EPDx). */
  readonly low: TableConfig | undefined;
  readonly high: TableConfig | undefined;
  /** CD.TBI0 and TBI1, which count even where walks are disabled. */
  readonly tbiLow: boolean;
  readonly tbiHigh: boolean;
  readonly faults: FaultControl;
  /** STE.PRIVCFG and INSTCFG: 0 use incoming, 2 and 3 override (§5.2). */
  readonly privcfg: number;
  readonly instcfg: number;
  /** STE.EATS, 0 where it is IGNORED. */
  readonly eats: number;
  /** STE.Config, to tell what an ATS request gets where nothing translates. */
  readonly steConfig: number;
  /** With `TRANSLATE`: bits of `PERMIT` that each kind of access needs, by `accessIndex`. */
  readonly needed: readonly number[];
}

/** Faults of a stage that does not translate: always aborted and recorded. */
export const ABORT_AND_RECORD: FaultControl = { abort: true, record: true, stall: false };

const NOTHING: StreamConfig = {
  route: ROUTE.ABORT,
  event: 0,
  stage1: false,
  stageTwo: undefined,
  world: 0,
  vmid: 0,
  asid: 0,
  aset: 0,
  low: undefined,
  high: undefined,
  tbiLow: false,
  tbiHigh: false,
  faults: ABORT_AND_RECORD,
  privcfg: 0,
  instcfg: 0,
  eats: 0,
  steConfig: 0,
  needed: NONE_NEEDED,
};

/** A configuration: all fields in one order, so that the engine sees one shape. */
export function streamConfig(fields: Partial<StreamConfig>): StreamConfig {
  const config = { ...NOTHING, ...fields };
  return config.route === ROUTE.TRANSLATE ? { ...config, needed: neededPermits(config) } : config;
}

/** A configuration that refuses every transaction for the reason of an event. */
export function refusal(event: number, fields: Partial<StreamConfig> = {}): StreamConfig {
  return streamConfig({ ...fields, route: ROUTE.REFUSE, event });
}

/** The high lane of an address with an ignored top byte replaced by the sign, bit 55 (§3.4.1). */
export function canonicalHigh(high: number, { tbiLow, tbiHigh }: StreamConfig): number {
  if ((high & (1 << 23)) === 0) return tbiLow ? high & 0x00ff_ffff : high;
  return tbiHigh ? high | 0xff00_0000 : high;
}

/** The key of a table: see `TableConfig.key`. */
export function tableKey(table: Omit<TableConfig, 'key'>, region: number): number {
  const flags =
    (table.accessFlagDisabled ? 1 : 0) |
    (table.hierarchyDisabled ? 2 : 0) |
    (table.writeNotExecute ? 4 : 0) |
    (table.privilegedAccessNever ? 8 : 0) |
    (table.onePrivilege ? 16 : 0) |
    (region << 5);
  return (((flags * 64 + table.inputBits) * 64 + table.outputBits) * 4 + (table.granule - 12) / 2) | 0;
}
