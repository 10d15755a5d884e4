import { step, type Step, type Task } from '../../../engine/step.ts';
import { STE, STE_CONFIG, read } from '../../../model/architecture/arm/layout/index.ts';
import {
  ArmSmmuConfigWriter,
  ENTRY_WORDS,
  type EntryChange,
  type EntryRef,
  type Master,
} from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** The words of a set, ascending. */
function wordsOf(set: number): number[] {
  return Array.from({ length: ENTRY_WORDS }, (_, word) => word).filter((word) => ((set >>> word) & 1) === 1);
}

/** Writes the word that switches an entry over before the words that it needs. */
class CriticalFirstWriter extends ArmSmmuConfigWriter {
  override *arm_smmu_write_entry(entry: EntryRef, change: EntryChange): Task {
    const plan = yield* this.plan(entry, change);
    const critical = (plan >>> 8) & 0xff;
    const others = (plan | (plan >>> 16)) & 0xff & ~critical;
    for (const words of [critical, others]) {
      for (const word of wordsOf(words)) yield* this.writeWord(entry, change, word, 'target');
      if (words !== 0) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

/** Writes the phases in the right order, but lets the SMMU see them as one. */
class NoSyncWriter extends ArmSmmuConfigWriter {
  override *arm_smmu_write_entry(entry: EntryRef, change: EntryChange): Task {
    const plan = yield* this.plan(entry, change);
    const breaking = plan >>> 24 === 1;
    for (let phase = 0; phase < 3; phase++) {
      const first = breaking ? 'invalid' : 'prepared';
      for (const word of wordsOf((plan >>> (8 * phase)) & 0xff))
        yield* this.writeWord(entry, change, word, phase === 0 ? first : 'target');
    }
    if (plan !== 0) yield* this.arm_smmu_sync_entry(entry);
  }
}

/** Rewrites a valid entry in place, although more than one used word changes. */
class NoBreakWriter extends ArmSmmuConfigWriter {
  protected override plan(entry: EntryRef, change: EntryChange): Step<number> {
    const careful = super.plan(entry, change);
    return step(careful.label, () => {
      const plan = careful.run();
      // All words in the second phase, which writes them as they are wanted.
      return plan >>> 24 === 0 ? plan : ((plan | (plan >>> 8)) & 0xff) << 8;
    });
  }
}

const S1DSS_FIELD = STE.fields.S1DSS;

/** Does not know that a stage 1 entry uses S1DSS. */
class ForgottenFieldWriter extends ArmSmmuConfigWriter {
  override ste(master: Master): EntryRef {
    const entry = super.ste(master);
    return {
      ...entry,
      used: (lanes) => {
        const used = entry.used(lanes);
        if (read(STE.fields.Config, lanes) !== STE_CONFIG.STAGE1) return used;
        const lane = 2 * S1DSS_FIELD.word;
        const field = ((1 << S1DSS_FIELD.width) - 1) << S1DSS_FIELD.lsb;
        return used.map((bits, at) => (at === lane ? bits & ~field : bits));
      },
    };
  }
}

const TORN = [
  { monitor: 'translation', rule: 'refused-while-hitless' },
  { monitor: 'translation', rule: 'mixed-configuration' },
  { monitor: 'translation', rule: 'wrong-address-space' },
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'translation', rule: 'tlb-conflict' },
  { monitor: 'translation', rule: 'unknown-translation' },
  { monitor: 'translation', rule: 'translated-while-blocked' },
  { monitor: 'translation', rule: 'spurious-fault' },
  { monitor: 'translation', rule: 'spurious-abort' },
  { monitor: 'translation', rule: 'unpredictable' },
  { monitor: 'tables', rule: 'table-free-in-use' },
  { monitor: 'tags', rule: 'tag-free-in-use' },
] as const;
const CITATION = 'arm_smmu_write_entry(), Linux 6.9; IHI 0070 §3.21.3';

/** The switch before what it switches to. */
export const smmuSteTorn: AsidHazard = {
  id: 'smmu-ste-torn',
  title: 'the word that switches a configuration entry over is written first',
  citation: `${CITATION}; the order in arm_smmu_write_strtab_ent(), Linux 6.1`,
  story:
    'The SMMU reads an entry word by word. It sees the new Config (or V=1) with the other words as they were: a configuration that nobody has written.',
  expected: TORN,
  parts: { configWriter: CriticalFirstWriter },
};

/** The SMMU may see two phases at once. */
export const smmuSteNoSync: AsidHazard = {
  id: 'smmu-ste-no-sync',
  title: 'a configuration entry is rewritten without CFGI and CMD_SYNC between the phases',
  citation: CITATION,
  story:
    'The stores are in the right order, but nothing makes the SMMU forget the words that it fetched before the last one. A later fetch completes them with new ones.',
  expected: TORN,
  parts: { configWriter: NoSyncWriter },
};

/** A valid entry changes in two words. */
export const smmuCdNoBreak: AsidHazard = {
  id: 'smmu-cd-no-break',
  title: 'a context descriptor is rewritten in place although ASID and table change',
  citation: `${CITATION}; arm_smmu_write_ctx_desc(), Linux 6.1, case (3), allows only the ASID to change`,
  story:
    'A device changes over to another domain while its context descriptor stays valid. The SMMU fetches the ASID of one domain with the table of the other, and caches translations of one under the tag of the other.',
  expected: [
    { monitor: 'translation', rule: 'wrong-address-space' },
    ...TORN.filter(({ rule }) => rule !== 'wrong-address-space'),
  ],
  parts: { configWriter: NoBreakWriter },
};

/** A field is missing in the used bits. */
export const smmuSteUsedBits: AsidHazard = {
  id: 'smmu-ste-used-bits',
  title: 'the used bits of a stage 1 entry omit S1DSS',
  citation: `arm_smmu_get_ste_used(), Linux 6.9; ${CITATION}`,
  story:
    'S1DSS counts as unused, so it changes in the first phase, while the entry still is the old one: transactions without a substream are refused for a while.',
  expected: TORN,
  parts: { configWriter: ForgottenFieldWriter },
};
