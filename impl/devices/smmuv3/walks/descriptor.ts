import {
  contiguousEntries,
  leafAllowed,
  levelShift,
  type GranuleBits,
} from '../../../../model/architecture/arm/layout/descriptor.ts';
import { EVENT } from '../../../../model/architecture/arm/layout/event.ts';
import type { StageTwoConfig, TableConfig } from '../configuration/stream-config.ts';
import { alignedTo, offsetWithin, POWER } from './powers.ts';

/** Kinds of a decoded descriptor. */
export const DESCRIPTOR = { FAULT: 0, TABLE: 1, LEAF: 2 } as const;

/**
 * Permissions that a leaf gives. Stage 1: read, write, execute for privileged (P) and unprivileged (U) accesses. Stage 2:
 * read and write, and execute for either privilege; DEVICE says that the memory type is one of the Device types.
 */
export const PERMIT = {
  PR: 1,
  PW: 2,
  PX: 4,
  UR: 8,
  UW: 16,
  UX: 32,
  STAGE1_ALL: 63,
  S2R: 1 << 8,
  S2W: 1 << 9,
  S2PX: 1 << 10,
  S2UX: 1 << 11,
  STAGE2_ALL: 15 << 8,
  DEVICE: 1 << 12,
} as const;

/** Hierarchical attributes of stage 1 tables: as the bits [4:0] above bit 59 say them. */
export const HIERARCHY = { PXN: 1, UXN: 2, NO_UNPRIVILEGED: 4, READ_ONLY: 8 } as const;

/** What a descriptor means; written again by each decoding. */
export interface Descriptor {
  kind: number;
  /** With `FAULT`: the event. */
  event: number;
  /** With `TABLE` the next table, with `LEAF` the output of the page or block. */
  address: number;
  /** With `TABLE`: attributes gathered so far. */
  hierarchy: number;
  permissions: number;
  attributes: number;
  /** nG is 0. */
  global: boolean;
  /** The Contiguous bit is set where it has a meaning. */
  contiguous: boolean;
}

/** A descriptor to decode into. */
export function emptyDescriptor(): Descriptor {
  const address = 0.5;
  return {
    kind: DESCRIPTOR.FAULT,
    event: 0,
    address,
    hierarchy: 0,
    permissions: 0,
    attributes: 0,
    global: false,
    contiguous: false,
  };
}

const VALID = 1;
const PAGE_OR_TABLE = 2;
const AF = 1 << 10;
const NG = 1 << 11;
const AP1 = 1 << 6;
const AP2 = 1 << 7;
/** Bits of the high lane. */
const CONTIGUOUS = 1 << 20;
const PXN = 1 << 21;
const UXN = 1 << 22;

/** Size of contiguous runs as log2 of the number of entries (Arm ARM D8.7.1). */
export function runLog2(granule: GranuleBits, level: number): number {
  return Math.log2(contiguousEntries(granule, level));
}

/**
 * The common part of both stages: validity, kind, address and Access flag, with faults in the order of IHI 0070 §7.3.22.
 *
 * @returns whether the descriptor is a leaf without a fault.
 */
function decodeCommon(into: Descriptor, by: TableConfig, level: number, low: number, high: number): boolean {
  into.kind = DESCRIPTOR.FAULT;
  into.event = EVENT.F_TRANSLATION;
  if ((low & VALID) === 0) return false;
  const bit1 = (low & PAGE_OR_TABLE) !== 0;
  const table = level < 3 && bit1;
  if (!table && ((level === 3) !== bit1 || !leafAllowed(by.granule, level))) return false;
  into.address = outputAddress(by, table ? by.granule : levelShift(by.granule, level), low, high);
  into.event = EVENT.F_ADDR_SIZE;
  if (into.address >= (POWER[by.outputBits] as number)) return false;
  if (table) {
    into.kind = DESCRIPTOR.TABLE;
    return false;
  }
  into.event = EVENT.F_ACCESS;
  if ((low & AF) === 0 && !by.accessFlagDisabled) return false;
  into.kind = DESCRIPTOR.LEAF;
  into.contiguous = (high & CONTIGUOUS) !== 0 && contiguousEntries(by.granule, level) > 0;
  return true;
}

/** Address bits [47:shift], and [51:48] from [15:12] with 64 KiB granules and 52-bit outputs. */
function outputAddress(by: TableConfig, shift: number, low: number, high: number): number {
  const address = alignedTo((high & 0xffff) * 2 ** 32 + (low >>> 0), shift);
  return by.granule === 16 && by.outputBits === 52 ? address + ((low >>> 12) & 15) * 2 ** 48 : address;
}

/** Decodes a stage 1 descriptor (Arm ARM D8.3, D8.4). `hierarchy` was gathered at the levels above. */
export function decodeStageOne(
  into: Descriptor,
  by: TableConfig,
  level: number,
  hierarchy: number,
  low: number,
  high: number,
): void {
  if (decodeCommon(into, by, level, low, high)) {
    into.global = (low & NG) === 0;
    into.permissions = stageOnePermissions(by, hierarchy, low, high);
    into.attributes = ((low >>> 2) & 7) | (((low >>> 8) & 3) << 3);
  } else if (into.kind === DESCRIPTOR.TABLE)
    into.hierarchy = by.hierarchyDisabled ? 0 : hierarchy | ((high >>> 27) & 15);
}

/** Permissions of a stage 1 leaf (Arm ARM D8.4), as bits of `PERMIT`. */
export function stageOnePermissions(by: TableConfig, hierarchy: number, low: number, high: number): number {
  const readOnly = (low & AP2) !== 0 || (hierarchy & HIERARCHY.READ_ONLY) !== 0;
  const data = readOnly ? PERMIT.PR | PERMIT.UR : PERMIT.PR | PERMIT.UR | PERMIT.PW | PERMIT.UW;
  const uxn = (high & UXN) !== 0 || (hierarchy & HIERARCHY.UXN) !== 0;
  if (by.onePrivilege) return uxn || (by.writeNotExecute && !readOnly) ? data : data | PERMIT.PX | PERMIT.UX;
  const unprivileged = (low & AP1) !== 0 && (hierarchy & HIERARCHY.NO_UNPRIVILEGED) === 0;
  const pxn = (high & PXN) !== 0 || (hierarchy & HIERARCHY.PXN) !== 0;
  let permissions = data;
  if (!unprivileged) permissions &= ~(PERMIT.UR | PERMIT.UW);
  else if (by.privilegedAccessNever) permissions &= ~(PERMIT.PR | PERMIT.PW);
  const unprivilegedWrite = (permissions & PERMIT.UW) !== 0;
  // What unprivileged accesses may write is never executable for privileged ones.
  if (!pxn && !unprivilegedWrite && !(by.writeNotExecute && !readOnly)) permissions |= PERMIT.PX;
  if (!uxn && !(by.writeNotExecute && unprivilegedWrite)) permissions |= PERMIT.UX;
  return permissions;
}

/** Decodes a stage 2 descriptor (Arm ARM D8.3, D8.4; S2AP, XN, MemAttr). */
export function decodeStageTwo(
  into: Descriptor,
  { table, forceWriteBack }: StageTwoConfig,
  executeNeverExtended: boolean,
  level: number,
  low: number,
  high: number,
): void {
  if (!decodeCommon(into, table, level, low, high)) return;
  let permissions = 0;
  if ((low & AP1) !== 0) permissions |= PERMIT.S2R;
  if ((low & AP2) !== 0) permissions |= PERMIT.S2W;
  // XN[1:0] is bits [54:53]; without the extension only XN[1] counts.
  const xn = executeNeverExtended ? (high >>> 21) & 3 : (high >>> 21) & 2;
  if (xn === 0 || xn === 3) permissions |= PERMIT.S2PX;
  if (xn === 0 || xn === 1) permissions |= PERMIT.S2UX;
  const attributes = (low >>> 2) & 15;
  // With S2FWB bit 2 of MemAttr tells Normal from Device memory, else bits [3:2] are zero for Device (D8.6).
  if (forceWriteBack ? (attributes & 4) === 0 : attributes < 4) permissions |= PERMIT.DEVICE;
  into.permissions = permissions;
  into.attributes = attributes | (((low >>> 8) & 3) << 4);
}

/** Address of the descriptor that a walk reads in a table of a level, for an offset into the input range. */
export function descriptorAddress(by: TableConfig, level: number, table: number, offset: number): number {
  const index = Math.floor(offset / (POWER[levelShift(by.granule, level)] as number));
  return table + 8 * offsetWithin(index, level === by.level ? by.indexBits : by.granule - 3);
}
