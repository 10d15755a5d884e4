import { step, waitStep, type Step, type Task } from '../../../engine/step.ts';
import { consOf, OWNED, prodOf } from '../../../impl/kernel/cmdq-index.ts';
import type { Command } from '../../../impl/kernel/cmdq.ts';
import { ArmSmmuCmdq } from '../../../impl/kernel/cmdq-multi-producer.ts';
import { CITATION, DISORDER, HANG, type CmdqHazard } from './hazard.ts';

class NoSharedLockCmdq extends ArmSmmuCmdq {
  protected override *arm_smmu_cmdq_shared_lock(): Task {
    // Nobody is kept from reusing the room.
  }

  protected override *waitForSync(at: number): Task {
    yield* this.layout.msiPoll ? this.pollUntilMsi(at) : this.pollUntilConsumed(at);
  }
}

class ConsWithoutLockCmdq extends ArmSmmuCmdq {
  protected override exclusiveTrylock(llq: number): Step<boolean> {
    const room = {
      name: 'room in the command queue',
      ready: () => this.hardware.readCons() !== consOf(llq) || this.cons.peek(0) !== consOf(llq),
    };
    return waitStep('no cmpxchg of cmdq.lock', room, () => true);
  }

  protected override exclusiveUnlock(): Step<undefined> {
    return step('no unlock of cmdq.lock', () => undefined);
  }
}

class EveryUnlockStoresCmdq extends ArmSmmuCmdq {
  protected override *arm_smmu_cmdq_shared_tryunlock(): Task<boolean> {
    return yield* step('no look at cmdq.lock', () => false);
  }
}

class UnlockBeforeStoreCmdq extends ArmSmmuCmdq {
  protected override *waitForSync(at: number): Task {
    const cons = yield* this.layout.msiPoll ? this.pollUntilMsi(at) : this.pollUntilConsumed(at);
    if (yield* this.arm_smmu_cmdq_shared_tryunlock()) return;
    yield* this.arm_smmu_cmdq_shared_unlock();
    yield* this.storeCons(cons);
  }
}

class PlainAllocationCmdq extends ArmSmmuCmdq {
  protected override exchangeProd(expected: number, prod: number): Step<number> {
    return step(`cmdq.prod := ${prodOf(prod)}`, () => {
      this.prod.exchange(prod | OWNED);
      return expected;
    });
  }
}

class NoRoomForSyncCmdq extends ArmSmmuCmdq {
  protected override *allocate(count: number, commands: number): Task<number> {
    let llq = yield* this.readLlq();
    for (;;) {
      while (!this.index.hasSpace(prodOf(llq), consOf(llq), commands))
        llq = yield* this.arm_smmu_cmdq_poll_until_not_full(llq);
      const old = yield* this.exchangeProd(llq, this.index.add(prodOf(llq), count) | OWNED);
      if (old === llq) return llq;
      llq = old;
    }
  }
}

class NoFinalSyncCmdq extends ArmSmmuCmdq {
  protected override *submit(commands: readonly Command[]): Task {
    yield* this.arm_smmu_cmdq_issue_cmdlist(commands, false);
  }
}

class WaitsForStartCmdq extends ArmSmmuCmdq {
  protected override *waitForSync(at: number): Task {
    yield* super.waitForSync(this.index.add(at, -1));
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

/** Mistakes about room in the queue, and about completion. */
export const ROOM_HAZARDS: readonly CmdqHazard[] = [
  {
    ...hazard(
      'smmu-cmdq-double-wrap',
      'a CMD_SYNC is waited for without holding the lock',
      'Others go round the queue twice while one CPU does not look at CMDQ_CONS. What it looks for is consumed, but the index says that it is not.',
      NoSharedLockCmdq,
      HANG,
    ),
    citation: `${CITATION}: "we must ensure that the queue can't wrap twice without us noticing"`,
  },
  {
    ...hazard(
      'smmu-cmdq-cons-no-lock',
      'the shadow of CMDQ_CONS is updated without the lock',
      'A value that was read long ago is stored after newer ones. CONS goes back, and behind a wrap that looks like room.',
      ConsWithoutLockCmdq,
      HANG,
    ),
    citation: 'arm_smmu_cmdq_poll_until_not_full(), Linux 5.4: exclusive trylock around the update of cons',
  },
  {
    ...hazard(
      'smmu-cmdq-every-unlock-stores',
      'whoever has waited for a CMD_SYNC stores CONS, and not only the last one',
      'A CPU that waits for an earlier CMD_SYNC stores its older CONS after the newer one.',
      EveryUnlockStoresCmdq,
      HANG,
    ),
    citation: `${CITATION}: "This will fail if we're the last reader, in which case we can safely update cmdq->q.llq.cons"`,
  },
  hazard(
    'smmu-cmdq-unlock-before-store',
    'the last one unlocks before it stores CONS',
    'Between the two somebody takes the lock exclusively and stores a newer CONS, which then goes back.',
    UnlockBeforeStoreCmdq,
    HANG,
  ),
  hazard(
    'smmu-cmdq-plain-allocation',
    'room is taken by a load and a store',
    'Two CPUs take the same entries, and one overwrites the commands of the other.',
    PlainAllocationCmdq,
    HANG,
  ),
  hazard(
    'smmu-cmdq-no-room-for-sync',
    'the room for the CMD_SYNC is not counted',
    'A list that just fits is put in with its CMD_SYNC, which overwrites an entry that is still full.',
    NoRoomForSyncCmdq,
    HANG,
  ),
  {
    ...hazard(
      'smmu-batch-no-sync',
      'the last list of a batch is submitted without a CMD_SYNC',
      'The caller takes the return for completion, and frees what the SMMU has yet to invalidate.',
      NoFinalSyncCmdq,
      [{ monitor: 'cmdq', rule: 'sync-early' }, ...DISORDER],
    ),
    citation: 'arm_smmu_cmdq_batch_submit(), Linux 5.9: sync = true; only lists in between go without',
  },
  hazard(
    'smmu-cmdq-waits-too-early',
    'CMDQ_CONS is waited for that has passed the last command, not the CMD_SYNC',
    'A command that was consumed is not complete; only its CMD_SYNC says so.',
    WaitsForStartCmdq,
    [{ monitor: 'cmdq', rule: 'sync-early' }, ...DISORDER],
  ),
];
