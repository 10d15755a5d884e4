import { ADDRESS_SIZES_BITS } from '../layout/cd.ts';
import { contiguousEntries, leafAllowed, levelShift, type GranuleBits } from '../layout/descriptor.ts';
import { EVENT } from '../layout/event.ts';
import { PERMISSION } from '../outcomes/outcome.ts';

/**
 * What one VMSAv8-64 descriptor means (Arm ARM D8.3, D8.4): a pure function of its 64 bits, the level at which it was
 * read, the hierarchical attributes gathered above it, and the fields of the CD or STE that a TLB entry may cache.
 */
export interface Interpretation {
  /** Names the interpretation: equal interpretations have equal keys (`interpretationKey`). */
  readonly key: string;
  readonly granule: GranuleBits;
  /** 0 for TTB0, 1 for TTB1. */
  readonly region: 0 | 1;
  /** 64 - TxSZ. */
  readonly inputBits: number;
  /** Effective IPS in bits: the smaller of CD.IPS and OAS (IHI 0070 §5.4). */
  readonly outputBits: number;
  /** CD.AFFD: AF counts as 1. */
  readonly affd: boolean;
  /** CD.HADx: APTable, PXNTable and UXNTable are ignored. */
  readonly had: boolean;
  /** CD.WXN: writable pages are not executable. */
  readonly wxn: boolean;
  /** CD.PAN: privileged data accesses to pages that unprivileged ones may reach are refused. */
  readonly pan: boolean;
  /** CD.TBIx: the top byte of an address is ignored. */
  readonly tbi: boolean;
  /** The EL2 regime, where all accesses are privileged and nothing is global (IHI 0070 §13.4.1, §3.17.1). */
  readonly el2: boolean;
  /** What only stage 2 has; undefined for stage 1. */
  readonly stage2: StageTwoControls | undefined;
}

/** Fields of the STE that change what stage 2 descriptors mean (IHI 0070 §5.2). */
export interface StageTwoControls {
  /** IDR3.XNX: XN[0] is decoded, so that privileged and unprivileged execution differ. */
  readonly xnx: boolean;
  /** STE.S2FWB: MemAttr[2] says whether memory is Device memory. */
  readonly fwb: boolean;
  /** STE.S2PTW: stage 1 table walks and CD fetches must not reach Device memory. */
  readonly ptw: boolean;
}

/** The key of an interpretation. */
export function interpretationKey(by: Omit<Interpretation, 'key'>): string {
  const flags =
    (by.affd ? 1 : 0) | (by.had ? 2 : 0) | (by.wxn ? 4 : 0) | (by.pan ? 8 : 0) | (by.tbi ? 16 : 0) | (by.el2 ? 32 : 0);
  const key = `${by.granule}.${by.region}.${by.inputBits}.${by.outputBits}.${flags}`;
  if (by.stage2 === undefined) return key;
  const { xnx, fwb, ptw } = by.stage2;
  return `s2.${key}.${(xnx ? 1 : 0) | (fwb ? 2 : 0) | (ptw ? 4 : 0)}`;
}

/** Hierarchical attributes: APTable[0] (no unprivileged access), APTable[1] (read-only), PXNTable, UXNTable. */
export const HIERARCHY = { NO_UNPRIVILEGED: 1, READ_ONLY: 2, PXN: 4, UXN: 8 } as const;

/** What a descriptor means. */
export type DescriptorStep =
  | { readonly kind: 'fault'; readonly event: number }
  | { readonly kind: 'table'; readonly table: number; readonly hierarchy: number }
  | LeafStep;

/** A block or page. `attributes` of stage 2 are MemAttr[3:0], and SH[1:0] in bits [5:4]. */
export interface LeafStep {
  readonly kind: 'leaf';
  readonly pa: number;
  readonly permissions: number;
  readonly attributes: number;
  readonly global: boolean;
  /** The Contiguous bit, where it has a meaning. */
  readonly contiguous: boolean;
  /** The nT bit of a block (§3.21.1.2). */
  readonly nT: boolean;
}

const TRANSLATION: DescriptorStep = { kind: 'fault', event: EVENT.F_TRANSLATION };
const ADDRESS_SIZE: DescriptorStep = { kind: 'fault', event: EVENT.F_ADDR_SIZE };
const ACCESS: DescriptorStep = { kind: 'fault', event: EVENT.F_ACCESS };

/** What the descriptor (low, high) means at `level`. Faults come in the order of IHI 0070 §7.3.22. */
export function stepDescriptor(
  by: Interpretation,
  level: number,
  hierarchy: number,
  low: number,
  high: number,
): DescriptorStep {
  if ((low & 1) === 0) return TRANSLATION;
  const bit1 = (low & 2) !== 0;
  if (level < 3 && bit1) {
    const table = outputAddress(by, by.granule, low, high);
    if (table >= 2 ** by.outputBits) return ADDRESS_SIZE;
    return { kind: 'table', table, hierarchy: by.had ? 0 : hierarchy | ((high >>> 29) & 3) | hierarchicalXn(high) };
  }
  // At level 3 bit 1 must be set; a block has a meaning at some levels only.
  if ((level === 3) !== bit1 || !leafAllowed(by.granule, level)) return TRANSLATION;
  const pa = outputAddress(by, levelShift(by.granule, level), low, high);
  if (pa >= 2 ** by.outputBits) return ADDRESS_SIZE;
  if ((low & (1 << 10)) === 0 && !by.affd) return ACCESS;
  return {
    kind: 'leaf',
    pa,
    permissions: by.stage2
      ? stageTwoPermissions(by.stage2, low, high)
      : by.el2
        ? el2Permissions(by, hierarchy, low, high)
        : permissionsOf(by, hierarchy, low, high),
    attributes: by.stage2
      ? ((low >>> 2) & 15) | (((low >>> 8) & 3) << 4)
      : ((low >>> 2) & 7) | (((low >>> 8) & 3) << 3),
    global: by.stage2 === undefined && !by.el2 && (low & (1 << 11)) === 0,
    contiguous: (high & (1 << 20)) !== 0 && contiguousEntries(by.granule, level) > 0,
    nT: level < 3 && (low & (1 << 16)) !== 0,
  };
}

/** PXNTable is bit 59, UXNTable bit 60; APTable[0] and [1] are bits 61 and 62. */
function hierarchicalXn(high: number): number {
  return (((high >>> 27) & 1) !== 0 ? HIERARCHY.PXN : 0) | (((high >>> 28) & 1) !== 0 ? HIERARCHY.UXN : 0);
}

/** Bits [47:shift] of a descriptor as an address, with bits [51:48] where a 64 KiB granule and 52 bits have them. */
function outputAddress(by: Interpretation, shift: number, low: number, high: number): number {
  let address = (low >>> 12) * 4096 + (high & 0xffff) * 2 ** 32;
  address = Math.floor(address / 2 ** shift) * 2 ** shift;
  if (by.granule === 16 && by.outputBits === 52) address += ((low >>> 12) & 0xf) * 2 ** 48;
  return address;
}

/** Permissions of a leaf after the hierarchical attributes (Arm ARM D8.4, tables for the EL1&0 regime). */
function permissionsOf(by: Interpretation, hierarchy: number, low: number, high: number): number {
  const unprivileged = (low & (1 << 6)) !== 0 && (hierarchy & HIERARCHY.NO_UNPRIVILEGED) === 0;
  const readOnly = (low & (1 << 7)) !== 0 || (hierarchy & HIERARCHY.READ_ONLY) !== 0;
  const pxn = (high & (1 << 21)) !== 0 || (hierarchy & HIERARCHY.PXN) !== 0;
  const uxn = (high & (1 << 22)) !== 0 || (hierarchy & HIERARCHY.UXN) !== 0;
  let permissions = 0;
  if (unprivileged) permissions |= readOnly ? PERMISSION.UR : PERMISSION.UR | PERMISSION.UW;
  if (!by.pan || !unprivileged) permissions |= readOnly ? PERMISSION.PR : PERMISSION.PR | PERMISSION.PW;
  const unprivilegedWrite = unprivileged && !readOnly;
  // What an unprivileged access may write is never executable for a privileged one.
  if (!pxn && !unprivilegedWrite && !(by.wxn && !readOnly)) permissions |= PERMISSION.PX;
  if (!uxn && !(by.wxn && unprivilegedWrite)) permissions |= PERMISSION.UX;
  return permissions;
}

/**
 * Permissions in the EL2 regime: AP[1] counts as 1 and every access as privileged, XN is where UXN is elsewhere, and what
 * may be written can be executed too, but for WXN (IHI 0070 §13.4.1, Arm ARM D8.4).
 */
function el2Permissions(by: Interpretation, hierarchy: number, low: number, high: number): number {
  const readOnly = (low & (1 << 7)) !== 0 || (hierarchy & HIERARCHY.READ_ONLY) !== 0;
  const xn = (high & (1 << 22)) !== 0 || (hierarchy & HIERARCHY.UXN) !== 0;
  let permissions: number = PERMISSION.PR | PERMISSION.UR;
  if (!readOnly) permissions |= PERMISSION.PW | PERMISSION.UW;
  if (!xn && !(by.wxn && !readOnly)) permissions |= PERMISSION.PX | PERMISSION.UX;
  return permissions;
}

/** S2AP and XN of a stage 2 leaf (Arm ARM D8.4): S2AP does not tell privileged from unprivileged, XN may (FEAT_XNX). */
function stageTwoPermissions({ xnx }: StageTwoControls, low: number, high: number): number {
  let permissions = 0;
  if ((low & (1 << 6)) !== 0) permissions |= PERMISSION.PR | PERMISSION.UR;
  if ((low & (1 << 7)) !== 0) permissions |= PERMISSION.PW | PERMISSION.UW;
  const never = (high & (1 << 22)) !== 0;
  const differs = xnx && (high & (1 << 21)) !== 0;
  if (!never) permissions |= differs ? PERMISSION.UX : PERMISSION.PX | PERMISSION.UX;
  else if (differs) permissions |= PERMISSION.PX;
  return permissions;
}

/** Whether stage 2 lets a stage 1 table walk or the fetch of a CD read through a leaf (IHI 0070 §5.2, S2PTW; §7.3.16). */
export function allowsWalk(controls: StageTwoControls, leaf: Pick<LeafStep, 'permissions' | 'attributes'>): boolean {
  // Both are privileged or unprivileged data reads, which stage 2 does not tell apart.
  if ((leaf.permissions & PERMISSION.PR) === 0) return false;
  return !controls.ptw || !isDevice(controls, leaf.attributes);
}

/** Whether MemAttr says Device memory: MemAttr[3:2] = 0, or with S2FWB MemAttr[2] = 0 (Arm ARM D8.6.5, D8.6.6). */
function isDevice({ fwb }: StageTwoControls, attributes: number): boolean {
  return fwb ? (attributes & 4) === 0 : (attributes & 12) === 0;
}

/** Effective output size in bits for the value of CD.IPS (§5.4): reserved values behave as 52 bits; capped by OAS. */
export function effectiveOutputBits(ips: number, oas: number): number {
  return Math.min(ADDRESS_SIZES_BITS[ips] ?? 52, oas);
}
