import { describe, expect, it } from 'vitest';
import { CD, EATS, encode, patch, STE, STE_CONFIG, S1DSS } from '../../model/architecture/arm/layout/index.ts';
import {
  arm_smmu_get_cd_used,
  arm_smmu_get_ste_update_safe,
  arm_smmu_get_ste_used,
  ENTRY_WORDS,
  planEntryUpdate,
  prepareEntry,
  type Entry,
  type UsedBits,
} from './config-entry.ts';

const abort = encode(STE, { V: 1, Config: STE_CONFIG.ABORT });
const bypass = encode(STE, { V: 1, Config: STE_CONFIG.BYPASS, SHCFG: 1 });
const stage1 = encode(STE, {
  V: 1,
  Config: STE_CONFIG.STAGE1,
  S1ContextPtr: 0x4100_3000,
  S1CDMax: 2,
  S1DSS: S1DSS.SUBSTREAM_0,
  S1CSH: 3,
});
const stage2 = encode(STE, {
  V: 1,
  Config: STE_CONFIG.STAGE2,
  SHCFG: 1,
  S2VMID: 1,
  S2T0SZ: 32,
  S2AA64: 1,
  S2TTB: 0x4100_8000,
});
const nested = patch(STE, stage2, { Config: STE_CONFIG.NESTED, S1ContextPtr: 0x4100_3000, S1CSH: 3 });
const otherVm = patch(STE, stage2, { S2VMID: 2, S2TTB: 0x4100_9000 });
const nothing: Entry = Array.from({ length: 2 * ENTRY_WORDS }, () => 0);
const cdA = encode(CD, { V: 1, AA64: 1, ASID: 1, TTB0: 0x4100_4000, MAIR0: 0xff });
const cdB = encode(CD, { V: 1, AA64: 1, ASID: 2, TTB0: 0x4100_5000, MAIR0: 0xff });
const cdMoved = encode(CD, { V: 1, AA64: 1, ASID: 2, TTB0: 0x4100_4000, MAIR0: 0xff });
const cdQuiet = encode(CD, { V: 1, AA64: 1, EPD0: 1, ASID: 1, TTB0: 0x4100_4000, MAIR0: 0xff });

/** What the SMMU acts on: the entry where it is used. */
function meaning(entry: Entry, used: UsedBits): string {
  const bits = used(entry);
  return entry.map((lane, at) => lane & (bits[at] as number)).join();
}

/** Every content of memory on the way, phase by phase. */
function contents(current: Entry, target: Entry, used: UsedBits): Entry[][] {
  const plan = planEntryUpdate(current, target, used);
  const memory = [...current];
  return plan.phases.map((words, phase) => {
    const seen = [[...memory]];
    const source = phase > 0 ? target : plan.breaking ? nothing : prepareEntry(current, target, used);
    for (let word = 0; word < ENTRY_WORDS; word++) {
      if (((words >>> word) & 1) === 0) continue;
      memory[2 * word] = source[2 * word] as number;
      memory[2 * word + 1] = source[2 * word + 1] as number;
      seen.push([...memory]);
    }
    return seen;
  });
}

/** Every mix of words of the versions seen in one phase: what a fetch that is not atomic may give. */
function mixes(versions: Entry[]): Entry[] {
  let found: Entry[] = [[]];
  for (let word = 0; word < ENTRY_WORDS; word++) {
    const words = new Map(versions.map((entry) => [entry.slice(2 * word, 2 * word + 2).join(), entry]));
    found = found.flatMap((head) =>
      [...words.values()].map((entry) => [...head, ...entry.slice(2 * word, 2 * word + 2)]),
    );
  }
  return found;
}

describe('planEntryUpdate', () => {
  it.each([
    ['STE abort → stage 1', abort, stage1, arm_smmu_get_ste_used, false],
    ['STE bypass → stage 1', bypass, stage1, arm_smmu_get_ste_used, false],
    ['STE stage 1 → bypass', stage1, bypass, arm_smmu_get_ste_used, false],
    ['STE stage 1 → abort', stage1, abort, arm_smmu_get_ste_used, false],
    ['STE abort → stage 2', abort, stage2, arm_smmu_get_ste_used, false],
    ['STE stage 2 → bypass', stage2, bypass, arm_smmu_get_ste_used, false],
    ['STE stage 2 → nested', stage2, nested, arm_smmu_get_ste_used, false],
    ['STE nested → stage 2', nested, stage2, arm_smmu_get_ste_used, false],
    ['STE stage 2 of another VM', stage2, otherVm, arm_smmu_get_ste_used, true],
    ['STE stage 1 → stage 2', stage1, stage2, arm_smmu_get_ste_used, true],
    ['STE nothing → bypass', nothing, bypass, arm_smmu_get_ste_used, false],
    ['CD nothing → A', nothing, cdA, arm_smmu_get_cd_used, false],
    ['CD A → nothing', cdA, nothing, arm_smmu_get_cd_used, false],
    ['CD A with another ASID', cdA, cdMoved, arm_smmu_get_cd_used, false],
    ['CD A → quiet', cdA, cdQuiet, arm_smmu_get_cd_used, false],
    ['CD A → B', cdA, cdB, arm_smmu_get_cd_used, true],
  ] as const)('%s shows the old entry, the new one, or (breaking) none', (_name, current, target, used, breaking) => {
    expect(planEntryUpdate(current, target, used).breaking).toBe(breaking);
    const allowed = new Set([meaning(current, used), meaning(target, used)]);
    if (breaking) allowed.add(meaning(nothing, used));
    const phases = contents(current, target, used);
    for (const versions of phases) for (const mix of mixes(versions)) expect(allowed).toContain(meaning(mix, used));
    expect(phases.at(-1)?.at(-1)).toEqual([...target]);
  });

  it('changes what is safe beside the word that differs, and not at all where split-stage ATS or stalls make it matter', () => {
    const plan = (from: Entry, to: Entry) =>
      planEntryUpdate(from, to, arm_smmu_get_ste_used, arm_smmu_get_ste_update_safe).breaking;
    const moved = patch(STE, nested, { S1ContextPtr: 0x4100_6000 });
    expect(plan(nested, patch(STE, moved, { EATS: EATS.FULL, MEV: 1 }))).toBe(false);
    expect(plan(nested, patch(STE, moved, { EATS: EATS.SPLIT_STAGE }))).toBe(true);
    expect(plan(nested, patch(STE, moved, { S1DSS: S1DSS.BYPASS }))).toBe(true);
    expect(plan(patch(STE, stage2, { S2S: 1 }), patch(STE, stage2, { EATS: EATS.FULL }))).toBe(true);
    expect(planEntryUpdate(nested, patch(STE, moved, { MEV: 1 }), arm_smmu_get_ste_used).breaking).toBe(true);
  });

  it('has nothing to do for an entry that is as wanted', () => {
    expect(planEntryUpdate(stage1, stage1, arm_smmu_get_ste_used)).toEqual({ breaking: false, phases: [0, 0, 0] });
  });
});
