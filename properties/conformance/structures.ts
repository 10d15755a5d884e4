/** Builds the structures of a world (stream table entries, context descriptors, descriptors) from symbolic forms. */
import {
  CD,
  encode,
  levelShift,
  STAGE1_LEAF,
  STAGE1_LEAF_64K,
  STE,
  STE_CONFIG,
  STREAM_TABLE_L1,
  TABLE_DESCRIPTOR,
  TABLE_DESCRIPTOR_64K,
  TG0,
  TG1,
} from '../../model/architecture/arm/layout/index.ts';
import type { FieldValues, GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import { match } from 'ts-pattern';
import type { ConformanceConfiguration, Context, Tree } from './configuration.ts';
import { stage2Change, stage2Fields } from './guest-structures.ts';
import type { CdForm, EntryPlace, Operation, SteForm, StreamTableForm } from './operation.ts';
import {
  absentAddress,
  cdAddress,
  outOfRangeAddress,
  rootLevel,
  streamIdOf,
  streamTable,
  tableAddress,
  targetAddress,
} from './world.ts';

type SteFields = FieldValues<typeof STE>;
type CdFields = FieldValues<typeof CD>;

/** Lanes of a stream table entry: stage 1, or what a context with a guest has. */
export const buildSte = (
  configuration: ConformanceConfiguration,
  context: number,
  form: SteForm,
  stage1Off = false,
): number[] => {
  const { vmid, guest } = configuration.contexts[context] as Context;
  const translate: SteFields = {
    V: 1,
    Config: STE_CONFIG.STAGE1,
    S1ContextPtr: cdAddress(configuration, context),
    S2VMID: vmid,
    ...(guest === undefined ? {} : stage2Fields(configuration, guest, stage1Off)),
  };
  const fields = match(form)
    .returnType<SteFields>()
    .with('translate', () => translate)
    .with('bypass', () => ({ V: 1, Config: STE_CONFIG.BYPASS, SHCFG: 1 }))
    .with('abort', () => ({ V: 1, Config: STE_CONFIG.ABORT }))
    .with('not-valid', () => ({ ...translate, V: 0 }))
    .with('stall-disable', () => ({ ...translate, S1STALLD: 1 }))
    .with('substreams-ignored', () => ({ ...translate, S1CDMax: 1, S1DSS: 2 }))
    .with('stream-world-ignored', () => ({ ...translate, STRW: 2 }))
    .with('ats-ignored', () => ({ ...translate, EATS: 1 }))
    .with('stage2-aarch32', () => ({ V: 1, Config: STE_CONFIG.STAGE2, S2AA64: 0, S2T0SZ: 25, S2SL0: 1, S2R: 1 }))
    .with('context-out-of-range', () => ({ ...translate, S1ContextPtr: outOfRangeAddress }))
    .with('context-absent', () => ({ ...translate, S1ContextPtr: absentAddress }))
    .with('reserved-config', () => ({ ...translate, Config: 2 }))
    .otherwise((change) => ({ ...translate, ...stage2Change(change) }));
  return encode(STE, fields);
};

const tg0 = (granule: GranuleBits): number =>
  granule === 12 ? TG0.GRANULE_4K : granule === 14 ? TG0.GRANULE_16K : TG0.GRANULE_64K;
const tg1 = (granule: GranuleBits): number =>
  granule === 12 ? TG1.GRANULE_4K : granule === 14 ? TG1.GRANULE_16K : TG1.GRANULE_64K;

const validCd = (configuration: ConformanceConfiguration, context: Context, copy: number): CdFields => {
  const root = (index: number): number => {
    const tree = configuration.trees[index] as Tree;
    return tableAddress(configuration, { tree: index, page: 0, level: rootLevel(tree), copy });
  };
  const low = configuration.trees[context.low] as Tree;
  const high = context.high === undefined ? undefined : (configuration.trees[context.high] as Tree);
  const upper: CdFields =
    high === undefined || context.high === undefined
      ? { EPD1: 1 }
      : {
          T1SZ: 64 - high.inputBits,
          TG1: tg1(high.granule),
          TTB1: root(context.high),
          HAD1: context.hierarchyDisabled ? 1 : 0,
        };
  return {
    V: 1,
    AA64: 1,
    A: 1,
    R: 1,
    T0SZ: 64 - low.inputBits,
    TG0: tg0(low.granule),
    TTB0: root(context.low),
    HAD0: context.hierarchyDisabled ? 1 : 0,
    IPS: context.addressSize,
    AFFD: context.accessFlagFaultDisabled ? 1 : 0,
    TBI0: context.topByteIgnore & 1,
    TBI1: context.topByteIgnore >> 1,
    ASID: context.asid,
    ...upper,
  };
};

/**
 * Lanes of a context descriptor.
 *
 * @param copy which copy of the root tables it points at.
 */
export const buildCd = (
  configuration: ConformanceConfiguration,
  context: number,
  form: CdForm,
  copy: number,
): number[] => {
  const valid = validCd(configuration, configuration.contexts[context] as Context, copy);
  const change = match(form)
    .returnType<CdFields>()
    .with('valid', () => ({}))
    .with('no-record', () => ({ R: 0 }))
    .with('disabled-low', () => ({ EPD0: 1 }))
    .with('address-size-reserved', () => ({ IPS: 7 }))
    .with('no-privileged-access', () => ({ PAN: 1 }))
    .with('no-write-execute', () => ({ WXN: 1 }))
    .with('private-asid', () => ({ ASET: 1 }))
    .with('not-valid', () => ({ V: 0 }))
    .with('aarch32', () => ({ AA64: 0 }))
    .with('stall', () => ({ S: 1 }))
    .with('hardware-access-flag', () => ({ HA: 1 }))
    .with('big-endian', () => ({ ENDI: 1 }))
    .with('table-out-of-range', () => ({ TTB0: outOfRangeAddress }))
    .with('input-too-small', () => ({ T0SZ: 40 }))
    .with('input-too-large', () => ({ T0SZ: 15 }))
    .with('granule-reserved', () => ({ TG0: 3 }))
    .with('abort-not-set', () => ({ A: 0 }))
    .exhaustive();
  return encode(CD, { ...valid, ...change });
};

/** Lanes of the level 1 stream table descriptor of 64 StreamIDs that covers a device (the first four devices share one). */
export const buildStreamTableL1 = (form: StreamTableForm, device = 0): number[] => {
  const L2Ptr = streamTable + (streamIdOf(device) >> 6) * 64 * 64;
  return (
    match(form)
      .with('valid', () => encode(STREAM_TABLE_L1, { Span: 7, L2Ptr }))
      .with('unaligned', () => encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2Ptr + 0x40 }))
      .with('not-valid', () => encode(STREAM_TABLE_L1, { Span: 0, L2Ptr }))
      // One more than the split at bit 6 allows.
      .with('span-too-large', () => encode(STREAM_TABLE_L1, { Span: 8, L2Ptr }))
      // 16 entries: StreamIDs 0 to 15, so none of the devices' on bus 0, and the first of each other bus.
      .with('short', () => encode(STREAM_TABLE_L1, { Span: 5, L2Ptr }))
      .with('reserved-span', () => encode(STREAM_TABLE_L1, { Span: 12, L2Ptr }))
      .exhaustive()
  );
};

/** Lanes of a table descriptor. */
export const buildTable = (
  configuration: ConformanceConfiguration,
  operation: Extract<Operation, { kind: 'table' }>,
): number[] => {
  const { place, to, apTable } = operation;
  const { granule } = configuration.trees[place.tree] as Tree;
  const Address =
    to === 'absent'
      ? absentAddress
      : to === 'out-of-range'
        ? outOfRangeAddress
        : tableAddress(configuration, { tree: place.tree, page: place.page, level: place.level + 1, copy: to });
  const fields = { Valid: 1, Table: 1, Address, APTable: apTable };
  return granule === 16 ? encode(TABLE_DESCRIPTOR_64K, fields) : encode(TABLE_DESCRIPTOR, fields);
};

/**
 * Lanes of a page or block descriptor.
 *
 * @param output its output address, if not the one that its target says.
 */
export const buildLeaf = (
  configuration: ConformanceConfiguration,
  operation: Extract<Operation, { kind: 'leaf' }>,
  output?: number,
): number[] => {
  const { place, target } = operation;
  const tree = configuration.trees[place.tree] as Tree;
  const Address =
    output ??
    (target === 'out-of-range'
      ? outOfRangeAddress
      : target === 'absent'
        ? absentAddress
        : targetAddress(tree, place.level, target));
  const fields = {
    Valid: 1,
    Page: place.level === 3 ? 1 : 0,
    Address,
    AP: operation.ap,
    AF: operation.accessFlag ? 1 : 0,
    nG: operation.global ? 0 : 1,
    Contiguous: operation.contiguous ? 1 : 0,
    SH: 3,
  };
  return tree.granule === 16 ? encode(STAGE1_LEAF_64K, fields) : encode(STAGE1_LEAF, fields);
};

/** Lanes of an entry that is not valid: all zero, or all the bits but the valid bit as a page would have them. */
export const buildClear = (configuration: ConformanceConfiguration, place: EntryPlace, garbage: boolean): number[] => {
  if (!garbage) return [0, 0];
  const tree = configuration.trees[place.tree] as Tree;
  return encode(STAGE1_LEAF, { Page: 1, Address: targetAddress(tree, place.level, 0), AF: 1, nG: 1 });
};

/** Size of what an entry of a level covers, bytes. */
export const coverage = (tree: Tree, level: number): number => 2 ** levelShift(tree.granule, level);
