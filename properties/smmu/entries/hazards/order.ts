import { step, type Step, type Task } from '../../../../engine/step.ts';
import { ArmSmmuConfigWriter, ENTRY_WORDS, type EntryChange, type EntryRef } from '../../../../impl/kernel/index.ts';
import { CITATION, MIXED, STALE, type EntriesHazard } from './hazard.ts';

/** Writes phases in an order of its own. */
abstract class ReorderingWriter extends ArmSmmuConfigWriter {
  override *arm_smmu_write_entry(entry: EntryRef, change: EntryChange): Task {
    const plan = yield* this.plan(entry, change);
    yield* this.phases(entry, change, plan);
  }

  protected abstract phases(entry: EntryRef, change: EntryChange, plan: number): Task;

  /** The stores of one phase. */
  protected *stores(entry: EntryRef, change: EntryChange, plan: number, phase: number): Task {
    const first = plan >>> 24 === 1 ? 'invalid' : 'prepared';
    for (let word = 0; word < ENTRY_WORDS; word++)
      if (((plan >>> (8 * phase + word)) & 1) === 1)
        yield* this.writeWord(entry, change, word, phase === 0 ? first : 'target');
  }
}

class CriticalFirstWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    if (plan >>> 24 === 1) {
      yield* super.arm_smmu_write_entry(entry, change);
      return;
    }
    const others = (plan | (plan >>> 16)) & 0xff & ~(plan >>> 8);
    const swapped = (plan & 0xff00) | (others << 16);
    for (const phase of [1, 2]) {
      yield* this.stores(entry, change, swapped, phase);
      if (((swapped >>> (8 * phase)) & 0xff) !== 0) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

class NoSyncBetweenWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    for (const phase of [0, 1, 2]) yield* this.stores(entry, change, plan, phase);
    if (plan !== 0) yield* this.arm_smmu_sync_entry(entry);
  }
}

class NoSyncAfterInvalidWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    for (const phase of [0, 1, 2]) {
      yield* this.stores(entry, change, plan, phase);
      const invalidated = plan >>> 24 === 1 && phase === 0;
      if (((plan >>> (8 * phase)) & 0xff) !== 0 && !invalidated) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

class NoSyncBeforeValidWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    for (const phase of [0, 1, 2]) {
      yield* this.stores(entry, change, plan, phase);
      const restored = plan >>> 24 === 1 && phase === 1;
      if (((plan >>> (8 * phase)) & 0xff) !== 0 && !restored) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

class NoLastSyncWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    const last = [2, 1, 0].find((phase) => ((plan >>> (8 * phase)) & 0xff) !== 0);
    for (const phase of [0, 1, 2]) {
      yield* this.stores(entry, change, plan, phase);
      if (((plan >>> (8 * phase)) & 0xff) !== 0 && phase !== last) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

class NoWaitWriter extends ArmSmmuConfigWriter {
  override *arm_smmu_sync_entry(entry: EntryRef): Task {
    yield* this.kernel.cmdq.issue([entry.invalidate], false);
  }
}

class ValidFirstWriter extends ReorderingWriter {
  protected override *phases(entry: EntryRef, change: EntryChange, plan: number): Task {
    const breaking = plan >>> 24 === 1;
    const order = breaking ? [0, 2, 1] : [0, 1, 2];
    for (const phase of order) {
      yield* this.stores(entry, change, plan, phase);
      if (((plan >>> (8 * phase)) & 0xff) !== 0) yield* this.arm_smmu_sync_entry(entry);
    }
  }
}

class NoBreakWriter extends ArmSmmuConfigWriter {
  protected override plan(entry: EntryRef, change: EntryChange): Step<number> {
    const careful = super.plan(entry, change);
    return step(careful.label, () => {
      const plan = careful.run();
      return plan >>> 24 === 0 ? plan : ((plan | (plan >>> 8)) & 0xff) << 8;
    });
  }
}

class AlwaysBreakWriter extends ArmSmmuConfigWriter {
  protected override plan(entry: EntryRef, change: EntryChange): Step<number> {
    const careful = super.plan(entry, change);
    return step(careful.label, () => {
      const plan = careful.run();
      const words = (plan | (plan >>> 8) | (plan >>> 16)) & 0xff;
      return plan === 0 ? 0 : 1 | ((words & ~1) << 8) | (1 << 16) | (1 << 24);
    });
  }
}

class TornStoreWriter extends ArmSmmuConfigWriter {
  protected override writeWord(
    entry: EntryRef,
    change: EntryChange,
    word: number,
    kind: 'target' | 'prepared' | 'invalid',
  ): Step<undefined> {
    const whole = super.writeWord(entry, change, word, kind);
    return step(whole.label, () => {
      const { memory } = this.kernel;
      const at = entry.pa + 8 * word;
      const high = memory.high(at);
      whole.run();
      // What a compiler may make of a plain assignment: two stores of 32 bits, of which this is what is seen between.
      const [low, now] = [memory.low(at), memory.high(at)];
      memory.writeWord(at, low, high);
      memory.writeWord(at, low, now);
      return undefined;
    });
  }
}

function hazard(
  id: string,
  title: string,
  story: string,
  configWriter: EntriesHazard['parts']['configWriter'],
  expected: EntriesHazard['expected'] = MIXED,
): EntriesHazard {
  return { id, title, citation: CITATION, story, expected, parts: { configWriter } };
}

/** Mistakes in the order of stores and invalidations. */
export const ORDER_HAZARDS: readonly EntriesHazard[] = [
  hazard(
    'entry-critical-first',
    'the word that switches an entry over is written before the words that it needs',
    'The SMMU fetches the new word 0 with other words as they were under the old entry.',
    CriticalFirstWriter,
  ),
  hazard(
    'entry-no-sync-between',
    'the phases of an update are not separated by CFGI and CMD_SYNC',
    'Stores are in the right order, but a word that was fetched before the first one is completed with words from after the last one.',
    NoSyncBetweenWriter,
  ),
  hazard(
    'entry-invalid-no-sync',
    'an entry is made invalid and rewritten, without CFGI and CMD_SYNC between',
    'The SMMU still has the old word 0, valid, when it fetches the other words, which are new.',
    NoSyncAfterInvalidWriter,
  ),
  hazard(
    'entry-valid-no-sync',
    'an entry becomes valid again without CFGI and CMD_SYNC after its other words were written',
    'The SMMU is allowed to keep words of an invalid entry. It completes old ones with the new, valid word 0.',
    NoSyncBeforeValidWriter,
  ),
  hazard(
    'entry-no-last-sync',
    'an update returns without CFGI and CMD_SYNC after its last store',
    'The caller frees what the old entry pointed to, but the SMMU still has the old entry.',
    NoLastSyncWriter,
    STALE,
  ),
  hazard(
    'entry-no-wait',
    'CFGI is issued, but nobody waits for its completion',
    'The next phase, and the caller, go on while the SMMU still uses what the command will drop.',
    NoWaitWriter,
    STALE,
  ),
  hazard(
    'entry-valid-first',
    'an invalid entry is made valid before its other words are written',
    'Word 0 comes back first. What it stands with is the rest of the old entry.',
    ValidFirstWriter,
  ),
  hazard(
    'entry-no-break',
    'a valid entry is rewritten in place although used bits differ in several words',
    'No order of stores helps: some mix of old and new words is neither entry.',
    NoBreakWriter,
  ),
  hazard(
    'entry-always-break',
    'every update makes the entry invalid in between',
    'Devices that run meanwhile are refused, although the two entries differ in one used word only.',
    AlwaysBreakWriter,
    [
      { monitor: 'entry', rule: 'refused-while-hitless' },
      { monitor: 'entry', rule: 'unpermitted-outcome' },
    ],
  ),
  {
    ...hazard(
      'entry-store-torn',
      'a word of an entry is stored as two halves',
      'Without WRITE_ONCE a compiler may split a store of 64 bits. The SMMU reads 64 bits at a time, and between the halves it gets a word that nobody wrote.',
      TornStoreWriter,
      STALE,
    ),
    citation: 'entry_set() uses WRITE_ONCE(), Linux 6.9; IHI 0070 §3.21.3 (single-copy atomicity size)',
  },
];
