import { HarnessError, fingerprint, type Failure } from '../../engine/failure.ts';
import type { Runner } from '../../engine/run.ts';
import { Fingerprint } from '../../engine/search/fingerprint.ts';
import { replay } from '../../engine/strategies/replay.ts';
import type { Configuration, Program } from '../family.ts';

/** A failure that was found and confirmed by two replays: everything that is needed to see it again. */
export interface Found {
  readonly family: string;
  readonly hazard?: string;
  readonly configuration: Configuration;
  readonly program: Program;
  /** Agent index of each step. */
  readonly schedule: readonly number[];
  readonly failure: Failure;
  readonly provenance: {
    readonly seed: number;
    readonly strategy: string;
    /** Executions up to and including the failing one. */
    readonly executions: number;
    readonly seconds: number;
  };
}

/** The failure that the last run ended in, and its schedule. */
export interface Confirmed {
  readonly failure: Failure;
  readonly schedule: readonly number[];
}

/** Runs a failure twice more; a failure that does not come back is a broken harness, not a finding. */
export function confirm(runner: Runner): Confirmed {
  const failure = runner.system.machine.failure as Failure;
  const schedule = [...runner.schedule.subarray(0, runner.steps)];
  const before = stateOf(runner);
  for (let again = 0; again < 2; again++) {
    runner.run(replay(schedule), 0);
    const now = runner.system.machine.failure;
    const print = stateOf(runner);
    if (
      now === undefined ||
      fingerprint(now) !== fingerprint(failure) ||
      print.low !== before.low ||
      print.high !== before.high
    )
      throw new HarnessError(
        `a failure (${fingerprint(failure)}) did not come back on replay: a step depends on more than the store`,
      );
  }
  return { failure, schedule };
}

/** Fingerprint of the state that a run ended in. */
export function stateOf(runner: Runner): Fingerprint {
  const print = new Fingerprint();
  print.absorbWrites(runner.system.machine.store, runner.root);
  return print;
}
