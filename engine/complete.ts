import { HarnessError } from './failure.ts';
import { Forget, NOTHING, type Step, type Task } from './step.ts';

/** Resumes a task with a step's result and returns its next step, or undefined when it has ended. */
export function advance<T>(task: Task<T>, result: unknown): Step | undefined {
  let { value, done } = task.next(result as never);
  while (!done && value instanceof Forget) ({ value, done } = task.next(NOTHING as never));
  return done ? undefined : (value as Step);
}

/** Runs a task to its end without a scheduler: set-up of a world, and tests. A step that would wait is an error. */
export function runToCompletion(task: Task<unknown>): void {
  let step = advance(task, undefined);
  while (step !== undefined) {
    if (step.wait !== undefined && !step.wait.ready())
      throw new HarnessError(`"${step.label}" waits for ${step.wait.name} while nobody else runs`);
    const result = step.run();
    step = advance(task, result === undefined ? NOTHING : result);
  }
}
