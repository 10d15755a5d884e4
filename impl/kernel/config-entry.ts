import {
  CD,
  EATS,
  encode,
  read,
  S1DSS,
  STE,
  STE_CONFIG,
  write,
  type Field,
} from '../../model/architecture/arm/layout/index.ts';

/** Lanes of a configuration entry (STE or CD): low and high lane of each of its eight words. */
export type Entry = readonly number[];

/** 64-bit words of a stream table entry and of a context descriptor. */
export const ENTRY_WORDS = 8;

/** Which bits of an entry the SMMU looks at, given its content: the `used` masks of `arm_smmu_write_entry`. */
export type UsedBits = (entry: Entry) => Entry;

function mask(fields: readonly Field[]): Entry {
  const lanes = Array.from({ length: 2 * ENTRY_WORDS }, () => 0);
  for (const field of fields) write(field, lanes, (2 ** field.width - 1) * 2 ** field.scale);
  return lanes;
}

function union(left: Entry, right: Entry): Entry {
  return left.map((lane, at) => lane | (right[at] as number));
}

const steFields = STE.fields;
const STE_VALID = mask([steFields.V]);
const STE_CONFIGURED = mask([steFields.V, steFields.Config]);
const STE_BYPASS = union(STE_CONFIGURED, mask([steFields.SHCFG]));
const STE_STAGE1 = union(
  STE_CONFIGURED,
  mask([
    steFields.S1Fmt,
    steFields.S1ContextPtr,
    steFields.S1CDMax,
    steFields.S1DSS,
    steFields.S1CIR,
    steFields.S1COR,
    steFields.S1CSH,
    steFields.S1STALLD,
    steFields.STRW,
    steFields.EATS,
    steFields.MEV,
    steFields.S2VMID,
  ]),
);
const STE_STAGE1_BYPASS = union(STE_STAGE1, mask([steFields.SHCFG]));
const STE_STAGE2 = union(
  STE_CONFIGURED,
  mask([
    steFields.S2FWB,
    steFields.EATS,
    steFields.SHCFG,
    steFields.MEV,
    steFields.S2VMID,
    steFields.S2T0SZ,
    steFields.S2SL0,
    steFields.S2IR0,
    steFields.S2OR0,
    steFields.S2SH0,
    steFields.S2TG,
    steFields.S2PS,
    steFields.S2AA64,
    steFields.S2ENDI,
    steFields.S2PTW,
    steFields.S2S,
    steFields.S2R,
    steFields.S2TTB,
  ]),
);
const STE_NESTED = union(STE_STAGE1, STE_STAGE2);

/** Bits of a stream table entry that matter (`arm_smmu_get_ste_used`, Linux 6.13). */
export function arm_smmu_get_ste_used(entry: Entry): Entry {
  if (read(steFields.V, entry) === 0) return STE_VALID;
  switch (read(steFields.Config, entry)) {
    case STE_CONFIG.BYPASS:
      return STE_BYPASS;
    case STE_CONFIG.STAGE1:
      return read(steFields.S1DSS, entry) === S1DSS.BYPASS ? STE_STAGE1_BYPASS : STE_STAGE1;
    case STE_CONFIG.STAGE2:
      return STE_STAGE2;
    case STE_CONFIG.NESTED:
      return STE_NESTED;
    default:
      return STE_CONFIGURED;
  }
}

/**
 * Bits that two entries use and that may change beside others all the same: a mix of old and new in them does no harm.
 */
export type SafeBits = (current: Entry, target: Entry) => Entry;

const STE_MEV = mask([steFields.MEV]);
const STE_EATS_FULL = encode(STE, { EATS: EATS.FULL });
const STE_MEV_EATS_FULL = union(STE_MEV, STE_EATS_FULL);

/**
 * Bits of a stream table entry that are safe to change early or late (`arm_smmu_get_ste_update_safe`). MEV: events may be
 * merged anyway (IHI 0070 §5.2). EATS between "none" and "full": the caller changes it only while the device has ATS
 * disabled. Not so if split-stage ATS is involved, nor if stage 2 may stall (S2S), which is ILLEGAL together with full ATS.
 */
export function arm_smmu_get_ste_update_safe(current: Entry, target: Entry): Entry {
  const either = union(current, target);
  const split = read(steFields.EATS, either) >= EATS.SPLIT_STAGE;
  return split || read(steFields.S2S, either) === 1 ? STE_MEV : STE_MEV_EATS_FULL;
}

const cdFields = CD.fields;
const CD_INVALID = mask([cdFields.V]);
const CD_ALL: Entry = Array.from({ length: 2 * ENTRY_WORDS }, () => -1);
const TTBR0_FIELDS = mask([cdFields.T0SZ, cdFields.TG0, cdFields.IR0, cdFields.OR0, cdFields.SH0, cdFields.TTB0]);
const CD_WITHOUT_TTBR0: Entry = TTBR0_FIELDS.map((lane) => ~lane);

/** Bits of a context descriptor that matter (`arm_smmu_get_cd_used`). */
export function arm_smmu_get_cd_used(entry: Entry): Entry {
  if (read(cdFields.V, entry) === 0) return CD_INVALID;
  return read(cdFields.EPD0, entry) === 1 ? CD_WITHOUT_TTBR0 : CD_ALL;
}

/** The order in which the words of an entry are to be rewritten: a set of words for each phase. */
export interface EntryPlan {
  /** The two entries differ in more than one word that is in use: the entry has to be invalid in between. */
  readonly breaking: boolean;
  /** Words of the first, second and third phase, as bit sets; the SMMU must have seen one phase before the next. */
  readonly phases: readonly [number, number, number];
}

/**
 * How to get from one entry to another without the SMMU ever acting on a mix (`arm_smmu_write_entry`): first the bits
 * that the current entry does not use (or that are safe), then the one word in which used bits differ, then the bits that
 * are unused now. If used bits differ in several words: word 0 invalid, the others, word 0.
 */
export function planEntryUpdate(current: Entry, target: Entry, used: UsedBits, safe?: SafeBits): EntryPlan {
  const prepared = prepareEntry(current, target, used, safe);
  const targetUsed = used(target);
  let critical = 0;
  let changed = 0;
  let prepare = 0;
  for (let word = 0; word < ENTRY_WORDS; word++) {
    const bit = 1 << word;
    if (differs(prepared, target, targetUsed, word)) critical |= bit;
    if (differs(current, target, CD_ALL, word)) changed |= bit;
    if (differs(current, prepared, CD_ALL, word)) prepare |= bit;
  }
  if ((critical & (critical - 1)) !== 0) return { breaking: true, phases: [1, changed & ~1, 1] };
  // The critical word is left alone at first; a word that is unused all along is complete after the first phase.
  prepare &= ~critical;
  let rest = 0;
  for (let word = 0; word < ENTRY_WORDS; word++) {
    const after = ((prepare >>> word) & 1) === 1 ? prepared : current;
    if (((critical >>> word) & 1) === 0 && differs(after, target, CD_ALL, word)) rest |= 1 << word;
  }
  return { breaking: false, phases: [prepare, critical, rest] };
}

/** The current entry with all bits that it does not use, or that are safe, already as in the target (`unused_update`). */
export function prepareEntry(current: Entry, target: Entry, used: UsedBits, safe?: SafeBits): Entry {
  const bits = used(current);
  const after = used(target);
  const harmless = safe?.(current, target);
  return current.map((lane, at) => {
    // Only what both entries use is safe; else the order follows from the entry that uses it.
    const kept = (bits[at] as number) & ~((harmless?.[at] ?? 0) & (after[at] as number));
    const now = target[at] as number;
    return (lane & kept) | (now & ~kept);
  });
}

function differs(left: Entry, right: Entry, bits: Entry, word: number): boolean {
  for (let lane = 2 * word; lane < 2 * word + 2; lane++)
    if ((((left[lane] as number) ^ (right[lane] as number)) & (bits[lane] as number)) !== 0) return true;
  return false;
}
