import { step, type Step, type Task } from '../../../engine/step.ts';
import { OWNED, prodOf } from '../../../impl/kernel/cmdq-index.ts';
import type { Command } from '../../../impl/kernel/cmdq.ts';
import { ArmSmmuCmdq } from '../../../impl/kernel/cmdq-multi-producer.ts';
import { CITATION, DISORDER, HANG, type CmdqHazard } from './hazard.ts';

class KeepsOwnedCmdq extends ArmSmmuCmdq {
  protected override *stopGathering(): Task<number> {
    return yield* step('load cmdq.prod', () => prodOf(this.prod.value));
  }
}

class ClearsOwnedLateCmdq extends ArmSmmuCmdq {
  protected override *stopGathering(): Task<number> {
    const to = yield* step('load cmdq.prod', () => prodOf(this.prod.value));
    yield* step('cmdq.prod &= ~OWNED', () => {
      this.prod.exchange(prodOf(this.prod.value));
      return undefined;
    });
    return to;
  }
}

class ForgetsOwnedCmdq extends ArmSmmuCmdq {
  protected override exchangeProd(expected: number, prod: number): Step<number> {
    return super.exchangeProd(expected, prod & ~OWNED);
  }
}

class NoOwnerWaitCmdq extends ArmSmmuCmdq {
  protected override *waitForPreviousOwner(): Task {
    // Nobody is waited for.
  }
}

class OwnerFirstCmdq extends ArmSmmuCmdq {
  protected override *announce(to: number): Task {
    yield* this.passOwnership(to);
    yield* this.writeProd(to);
  }
}

class NoValidPollCmdq extends ArmSmmuCmdq {
  protected override *arm_smmu_cmdq_poll_valid_map(): Task {
    // What others have gathered is taken for written.
  }
}

class ValidFirstCmdq extends ArmSmmuCmdq {
  protected override *fill(commands: readonly Command[], sync: boolean, from: number, to: number): Task {
    if (sync) yield* this.arm_smmu_cmdq_shared_lock();
    yield* this.arm_smmu_cmdq_set_valid_map(from, to);
    yield* this.writeEntries(commands, sync, from);
  }
}

class NoBarrierCmdq extends ArmSmmuCmdq {
  protected override commandsVisible(): void {
    // The commands may still be in the store buffer when they are marked as valid.
  }
}

class SetsValidCmdq extends ArmSmmuCmdq {
  /** The constructor flips the bits of a queue that was used before, as the correct driver has left them. */
  protected override flipValid(entry: number, mask: number): void {
    super.flipValid(entry, mask);
    if (this.machine.current < 0) return;
    const cell = this.validMap[Math.floor(entry / this.layout.wordBits)];
    cell?.exchange(cell.value | mask);
  }

  protected override validBits(mask: number): number {
    return mask;
  }
}

class OneWrapCmdq extends ArmSmmuCmdq {
  protected override wordsOf(from: number, to: number) {
    const { wrap } = super.wordsOf(from, to)[0] ?? { wrap: 0 };
    return super.wordsOf(from, to).map((word) => ({ ...word, wrap }));
  }
}

function hazard(
  id: string,
  title: string,
  story: string,
  cmdq: NonNullable<CmdqHazard['parts']['cmdq']>,
  expected: CmdqHazard['expected'] = DISORDER,
): CmdqHazard {
  return { id, title, citation: CITATION, story, expected, parts: { cmdq } };
}

/** Mistakes on the way from an entry to CMDQ_PROD. */
export const PUBLICATION_HAZARDS: readonly CmdqHazard[] = [
  hazard(
    'smmu-cmdq-keeps-owned',
    'the owner reads what it gathered without clearing the owned flag',
    'Whoever comes later finds the flag set and leaves it to an owner that has gone: nobody moves CMDQ_PROD for it.',
    KeepsOwnedCmdq,
    HANG,
  ),
  hazard(
    'smmu-cmdq-clears-owned-late',
    'the owner reads what it gathered, and clears the owned flag in another access',
    'A producer between the two accesses counts on the owner, which has already read PROD.',
    ClearsOwnedLateCmdq,
    HANG,
  ),
  hazard(
    'smmu-cmdq-forgets-owned',
    'room is taken without setting the owned flag',
    'Every producer is an owner. The one in front publishes the room of the one behind as its own, which waits for a turn that has been passed over.',
    ForgetsOwnedCmdq,
    HANG,
  ),
  hazard(
    'smmu-cmdq-no-owner-wait',
    'an owner does not wait for the one before',
    'Two owners write CMDQ_PROD in either order: it goes backwards, and the SMMU consumes what it has consumed before.',
    NoOwnerWaitCmdq,
  ),
  hazard(
    'smmu-cmdq-owner-first',
    'the next owner is let in before CMDQ_PROD is written',
    'The next owner’s CMDQ_PROD may be written first, and goes back then.',
    OwnerFirstCmdq,
  ),
  hazard(
    'smmu-cmdq-no-valid-poll',
    'the owner publishes what it gathered without waiting for it to be written',
    'Room that another CPU has taken but not filled is announced to the SMMU.',
    NoValidPollCmdq,
  ),
  hazard(
    'smmu-cmdq-valid-first',
    'entries are marked as valid before they are written',
    'The owner sees the marks of another CPU and announces entries that hold what was there before.',
    ValidFirstCmdq,
  ),
  {
    ...hazard(
      'smmu-cmdq-no-wmb',
      'there is no dma_wmb between the commands and their valid bits',
      'The commands are still in the store buffer when CMDQ_PROD is written. The SMMU executes what was there before, or the right command before the structure that it is about has changed.',
      NoBarrierCmdq,
    ),
    citation: `${CITATION}: "Mark our slots as valid, ensuring commands are visible first", dma_wmb()`,
  },
  {
    ...hazard(
      'smmu-cmdq-valid-polarity',
      'valid bits are set and not flipped',
      'On the second round all entries count as valid from the first one on, so the owner does not wait for what others write.',
      SetsValidCmdq,
    ),
    citation:
      '__arm_smmu_cmdq_poll_set_valid_map(), Linux 5.4: "The valid bit is the inverse of the wrap bit … they become invalid again when we wrap"',
  },
  {
    ...hazard(
      'smmu-cmdq-wrap-inside',
      'a run of entries that wraps is polled with the wrap bit of its first entry',
      'Behind the wrap the bits are compared with the wrong value: they look valid before they are written, or never.',
      OneWrapCmdq,
      HANG,
    ),
    citation: '__arm_smmu_cmdq_poll_set_valid_map(), Linux 5.4: Q_WRP() is taken for each word',
  },
];
