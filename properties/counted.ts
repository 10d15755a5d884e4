import type { Machine } from '../engine/machine.ts';
import { Step, step, type Result, type Task } from '../engine/step.ts';

/**
 * Runs an operation and counts it: `tally` at its first step, and the one after it if its task says that it does not apply.
 */
export function* counted(machine: Machine, tally: number, task: Task<boolean>): Task {
  let { value, done } = task.next();
  if (!done && value instanceof Step) {
    const first = value;
    const run = (): Result => {
      machine.tally(tally);
      return first.run();
    };
    value = new Step(first.label, run, first.wait, () => undefined);
  }
  while (!done) {
    const result: unknown = yield value as Step;
    ({ value, done } = task.next(result as never));
  }
  if (value === false)
    yield* step('rejected: it does not apply', () => {
      machine.tally(tally + 1);
      return undefined;
    });
}
