import { decodeAtcInvalidation, type AtcInvalidation } from '../ats/atc-invalidation.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import {
  CFGI_RANGE_ALL,
  COMMAND,
  COMMAND_CFGI,
  COMMAND_CFGI_STE_RANGE,
  COMMAND_PRI_RESP,
  COMMAND_SYNC,
  COMMAND_TLBI,
  OPCODE,
  PRI_RESPONSE,
} from '../layout/command.ts';
import { read } from '../layout/layout.ts';
import { ANY_EL2, EL2, EL2_E2H, isEl2 } from '../translation/stream-world.ts';
import { ADDRESS_PAGES, PAGE_BYTES } from '../universe.ts';

/** A command as far as it matters to what is held (IHI 0070 §4.3, §4.4, §4.7). */
export type Command =
  | { readonly kind: 'illegal' }
  | { readonly kind: 'sync' }
  /** No effect on what is held, or none that the architecture requires. */
  | { readonly kind: 'none' }
  | ConfigInvalidation
  | TlbInvalidation
  | AtcInvalidation;

/** CMD_CFGI_*: which configuration structures it covers. */
export interface ConfigInvalidation {
  readonly kind: 'config';
  /** First StreamID covered, and number of them. */
  readonly streamId: number;
  readonly streams: number;
  /** Covers the STE itself and everything below, not only CDs. */
  readonly ste: boolean;
  /** Covers level 1 descriptors on the way too (L1STD with `ste`, else L1CD). */
  readonly intermediate: boolean;
  /** Index of the one CD covered; -1 for all of them. */
  readonly substream: number;
}

/** CMD_TLBI_*, or a TLBI of a CPU: which TLB entries of the Non-secure EL1 world it covers. */
export interface TlbInvalidation {
  readonly kind: 'tlb';
  /** It came by broadcast: entries made under CD.ASET = 1 may opt out (§3.17). */
  readonly broadcast?: true;
  /** Covers entries with information of stage 1 (the default), entries of stage 2 alone, or both. */
  readonly of?: 'stage 2' | 'both stages';
  /** VMID, -1 for all, or one of EL2 (`stream-world.ts`). */
  readonly vmid: number;
  /** ASID, or -1 for all. By ASID alone, global entries stay; by ASID and address, they go. */
  readonly asid: number;
  readonly byAddress: boolean;
  /** First page of 4 KiB, and number of them, if by address. */
  readonly page: number;
  readonly pages: number;
  /** Only entries of the last level of a walk. */
  readonly leaf: boolean;
  /** log2 of the granule that entries must have been made with; 0 for any. */
  readonly granule: number;
  /** Level of the leaf entries meant; 0 for any. */
  readonly level: number;
}

/** Something that a CMD_CFGI_* may cover. */
export interface ConfigTarget {
  readonly kind: 'L1STD' | 'STE' | 'L1CD' | 'CD';
  /** The StreamID, or for an L1STD the first of the span. */
  readonly streamId: number;
  /** StreamIDs that share it: 1, or the span of an L1STD. */
  readonly streams: number;
  /** For a CD its index; for an L1CD the index of the first CD below it. */
  readonly substream: number;
  /** CDs below it: 1, or the span of an L1CD. */
  readonly substreams: number;
}

/** Something that a CMD_TLBI_* may cover. */
export interface TlbTarget {
  /** 2 for what was made by stage 2 alone, from an IPA; combined entries count as stage 1 (§4.4.3.1). */
  readonly stage: 1 | 2;
  readonly vmid: number;
  /** ASID, or -1 for a global entry. */
  readonly asid: number;
  readonly page: number;
  readonly pages: number;
  /** Page that the entry's descriptor maps, where that is not `page` (entries made from a contiguous run). */
  readonly sourcePage: number;
  readonly granule: number;
  /** Level of the descriptor cached. */
  readonly level: number;
  readonly leaf: boolean;
  /** CD.ASET of the configuration that made it, 0 unless said otherwise; of stage 2 there is none. */
  readonly aset?: number;
}

const ILLEGAL: Command = { kind: 'illegal' };
const NONE: Command = { kind: 'none' };
const t = COMMAND_TLBI.fields;

/**
 * Decodes a command of the Non-secure command queue, given as four lanes (§4.1).
 *
 * @param e2h CR2.E2H, which says what entries the commands of EL2 are meant for (§4.4.2.8).
 */
export function decodeCommand(features: SmmuFeatures, lanes: ArrayLike<number>, e2h = false): Command {
  // A Non-secure queue must not say Secure, whatever the command (§4.1.6).
  if (read(COMMAND.fields.SSec, lanes) === 1) return ILLEGAL;
  const opcode = read(COMMAND.fields.Opcode, lanes);
  switch (opcode) {
    case OPCODE.CFGI_STE:
    case OPCODE.CFGI_STE_RANGE:
      return decodeConfig(features, opcode, lanes);
    case OPCODE.CFGI_CD:
    case OPCODE.CFGI_CD_ALL:
      // Without stage 1 there are no CDs (§4.3.3, §4.3.4).
      return features.stage1 ? decodeConfig(features, opcode, lanes) : ILLEGAL;
    case OPCODE.TLBI_NH_ALL:
    case OPCODE.TLBI_NH_ASID:
    case OPCODE.TLBI_NH_VA:
    case OPCODE.TLBI_NH_VAA:
      return features.stage1 ? decodeStageOne(features, opcode, lanes) : ILLEGAL;
    case OPCODE.TLBI_NSNH_ALL:
      return { ...ALL_ENTRIES, of: 'both stages' };
    case OPCODE.TLBI_S12_VMALL:
      return features.stage2 ? bothStages(tlb(features, read(t.VMID, lanes), -1)) : ILLEGAL;
    case OPCODE.TLBI_S2_IPA:
      return features.stage2 ? stageTwo(decodeAddress(features, lanes, read(t.VMID, lanes), -1)) : ILLEGAL;
    case OPCODE.SYNC:
      return read(COMMAND_SYNC.fields.CS, lanes) === 3 ? ILLEGAL : { kind: 'sync' };
    case OPCODE.PREFETCH_CONFIG:
    case OPCODE.PREFETCH_ADDR:
      return NONE;
    case OPCODE.RESUME:
    case OPCODE.STALL_TERM:
      return features.stallModel === 1 ? ILLEGAL : NONE;
    case OPCODE.ATC_INV:
      return features.ats ? (decodeAtcInvalidation(features, lanes) ?? NONE) : ILLEGAL;
    case OPCODE.PRI_RESP:
      // A response is between software and the device: it changes nothing that is held (§4.5.2).
      return features.pri && read(COMMAND_PRI_RESP.fields.Resp, lanes) !== PRI_RESPONSE.RESERVED ? NONE : ILLEGAL;
    case OPCODE.TLBI_EL2_ALL:
    case OPCODE.TLBI_EL2_ASID:
    case OPCODE.TLBI_EL2_VA:
    case OPCODE.TLBI_EL2_VAA:
      return features.hyp ? decodeEl2(features, opcode, lanes, e2h) : ILLEGAL;
    default:
      return ILLEGAL;
  }
}

/** CMD_TLBI_NH_*, which a stage-2-only SMMU does not have (§4.4.2). */
function decodeStageOne(features: SmmuFeatures, opcode: number, lanes: ArrayLike<number>): Command {
  switch (opcode) {
    case OPCODE.TLBI_NH_ALL:
      return tlb(features, read(t.VMID, lanes), -1);
    case OPCODE.TLBI_NH_ASID:
      return tlb(features, read(t.VMID, lanes), read(t.ASID, lanes));
    case OPCODE.TLBI_NH_VA:
      return decodeAddress(features, lanes, read(t.VMID, lanes), read(t.ASID, lanes));
    default:
      return decodeAddress(features, lanes, read(t.VMID, lanes), -1);
  }
}

/**
 * CMD_TLBI_EL2_* (§4.4.2.7 to §4.4.2.10). By address they are for the regime that CR2.E2H selects, without ASIDs if that
 * is EL2; by ASID for EL2-E2H alone.
 */
function decodeEl2(features: SmmuFeatures, opcode: number, lanes: ArrayLike<number>, e2h: boolean): Command {
  const asid = read(t.ASID, lanes);
  const regime = e2h ? EL2_E2H : EL2;
  switch (opcode) {
    case OPCODE.TLBI_EL2_ALL:
      return tlb(features, ANY_EL2, -1);
    case OPCODE.TLBI_EL2_ASID:
      return tlb(features, EL2_E2H, asid);
    case OPCODE.TLBI_EL2_VA:
      return decodeAddress(features, lanes, regime, e2h ? asid : -1);
    default:
      return decodeAddress(features, lanes, regime, -1);
  }
}

function bothStages(command: Command): Command {
  return command.kind === 'tlb' ? { ...command, of: 'both stages' } : command;
}

/** The address is an IPA, and combined entries need not be affected (§4.4.3.1). */
function stageTwo(command: Command): Command {
  return command.kind === 'tlb' ? { ...command, of: 'stage 2' } : command;
}

const ALL_ENTRIES: TlbInvalidation = {
  kind: 'tlb',
  vmid: -1,
  asid: -1,
  byAddress: false,
  page: 0,
  pages: 0,
  leaf: false,
  granule: 0,
  level: 0,
};

function tlb(features: SmmuFeatures, vmid: number, asid: number): Command {
  if (outOfRange(features, vmid, asid)) return NONE;
  return { ...ALL_ENTRIES, vmid, asid };
}

/**
 * True if the invalidation is not required to affect anything: upper bits of an 8-bit ASID or VMID set (§4.4), or a
 * VMID where stage 2 is not implemented (§4.4.2).
 */
function outOfRange(features: SmmuFeatures, vmid: number, asid: number): boolean {
  if (!features.asid16 && asid > 0xff) return true;
  if (isEl2(vmid)) return false;
  if (!features.stage2) return vmid !== 0;
  return !features.vmid16 && vmid > 0xff;
}

/** By address, with range and level hint (§4.4.1.1). */
function decodeAddress(features: SmmuFeatures, lanes: ArrayLike<number>, vmid: number, asid: number): Command {
  const page = read(t.Address, lanes) / PAGE_BYTES;
  const leaf = read(t.Leaf, lanes) === 1;
  const tg = features.ril ? read(t.TG, lanes) : 0;
  if (tg === 0) {
    if (outOfRange(features, vmid, asid)) return NONE;
    return { ...ALL_ENTRIES, vmid, asid, byAddress: true, page, pages: 1, leaf };
  }
  const granule = 10 + 2 * tg;
  // Blocks at level 1 of a 16 KiB table exist with 52-bit descriptors only: the hint is then no hint.
  const hint = read(t.TTL, lanes);
  const level = granule === 14 && hint === 1 ? 0 : hint;
  const num = read(t.Num, lanes);
  // Without 52-bit descriptors SCALE has 5 bits; bit 25 is RES0.
  const scale = read(t.Scale, lanes) % 32;
  if (num === 0 && scale === 0 && level === 0) return ILLEGAL;
  if (outOfRange(features, vmid, asid)) return NONE;
  // With a misaligned start the range covered is UNPREDICTABLE: nothing is sure to go.
  if (page % alignmentPages(granule, level) !== 0) return NONE;
  const pages = Math.min((num + 1) * 2 ** scale * 2 ** (granule - 12), ADDRESS_PAGES);
  return { ...ALL_ENTRIES, vmid, asid, byAddress: true, page, pages, leaf, granule, level };
}

/** Alignment of a range's start in pages of 4 KiB, by granule and level hint (§4.4.1.1). */
function alignmentPages(granule: number, level: number): number {
  if (level === 0) return 2 ** (granule - 12);
  return 2 ** (granule - 12 + (3 - level) * (granule - 3));
}

function decodeConfig(features: SmmuFeatures, opcode: number, lanes: ArrayLike<number>): Command {
  const c = COMMAND_CFGI.fields;
  const streamId = read(c.StreamID, lanes);
  const leaf = read(c.Leaf, lanes) === 1;
  if (opcode === OPCODE.CFGI_STE_RANGE) {
    const range = read(COMMAND_CFGI_STE_RANGE.fields.Range, lanes);
    const streams = 2 ** (range + 1);
    const first = range === CFGI_RANGE_ALL ? 0 : Math.floor(streamId / streams) * streams;
    return { kind: 'config', streamId: first, streams, ste: true, intermediate: true, substream: -1 };
  }
  // A StreamID beyond the implemented size need not have an effect (§4.1.7).
  if (streamId >= 2 ** features.sidSize) return NONE;
  if (opcode === OPCODE.CFGI_STE)
    return { kind: 'config', streamId, streams: 1, ste: true, intermediate: !leaf, substream: -1 };
  if (opcode === OPCODE.CFGI_CD_ALL)
    return { kind: 'config', streamId, streams: 1, ste: false, intermediate: true, substream: -1 };
  const substream = read(c.SubstreamID, lanes);
  if (substream >= 2 ** features.ssidSize) return NONE;
  return { kind: 'config', streamId, streams: 1, ste: false, intermediate: !leaf, substream };
}

/** Whether a CMD_CFGI_* is required to drop cached copies of a structure (§4.3). */
export function coversConfig(command: ConfigInvalidation, target: ConfigTarget): boolean {
  if (target.streamId >= command.streamId + command.streams) return false;
  if (target.streamId + target.streams <= command.streamId) return false;
  switch (target.kind) {
    case 'L1STD':
      return command.ste && command.intermediate;
    case 'STE':
      return command.ste;
    case 'L1CD':
      // Through the STE everything below goes; by CD only with Leaf = 0, and only what locates that CD.
      return command.ste || (command.intermediate && coversSubstream(command, target));
    case 'CD':
      return command.ste || coversSubstream(command, target);
  }
}

function coversSubstream({ substream }: ConfigInvalidation, target: ConfigTarget): boolean {
  return substream === -1 || (substream >= target.substream && substream < target.substream + target.substreams);
}

/** Whether a command for all VMIDs, or for all of EL2, covers an address space. */
function coversSpace(vmid: number, target: number): boolean {
  return isEl2(target) ? vmid === ANY_EL2 : vmid === -1;
}

/**
 * Whether an entry need not be dropped by a broadcast because of CD.ASET = 1: by one that matches with an ASID, and where
 * there are no ASIDs, in EL2, by one that matches with an address (§3.17, §16.7.7).
 */
function optsOut({ asid, byAddress }: TlbInvalidation, { vmid, aset }: TlbTarget): boolean {
  return aset === 1 && (vmid === EL2 ? byAddress : asid !== -1);
}

/** Whether a CMD_TLBI_* or a broadcast is required to drop an entry (§3.17, §4.4.1, §4.4.2; Arm ARM D8.17). */
export function coversTlb(command: TlbInvalidation, target: TlbTarget): boolean {
  if (command.broadcast === true && optsOut(command, target)) return false;
  if (command.of !== 'both stages' && (command.of === 'stage 2') !== (target.stage === 2)) return false;
  if (command.vmid !== target.vmid && !coversSpace(command.vmid, target.vmid)) return false;
  if (command.asid !== -1 && command.asid !== target.asid && (target.asid !== -1 || !command.byAddress)) return false;
  if (!command.byAddress) return true;
  if (command.leaf && !target.leaf) return false;
  if (command.granule !== 0 && command.granule !== target.granule) return false;
  if (command.level !== 0 && (target.leaf ? target.level !== command.level : target.level >= command.level))
    return false;
  const end = command.page + command.pages;
  if (target.page < end && command.page < target.page + target.pages) return true;
  return target.leaf && target.sourcePage < end && command.page < target.sourcePage + target.pages;
}
