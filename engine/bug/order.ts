import type { OperationSpec } from '../agent.ts';
import { Forget, Step, type Task } from '../step.ts';
import type { Store } from '../store.ts';
import type { System } from '../system.ts';
import type { Waitable } from '../waitable.ts';
import { stepShape } from './shape.ts';

/** A step of a program under whatever schedule: the `ordinal`-th (from 0) step of that shape in an operation. */
export interface StepName {
  readonly agent: number;
  readonly operation: number;
  readonly shape: string;
  readonly ordinal: number;
}

/**
 * The same system with fewer schedules: those in which `then` does not come before `first`. A search of it that finds
 * nothing shows that every failing schedule of the system has the two the other way round.
 *
 * A `then` that waits for a `first` that never comes stays where it is: its agent seems stuck, which is no failure of the
 * system, and which the caller tells from real ones by what is waited for (`ORDER`).
 *
 * @param flag a cell for the constraint's own use, 0 at first.
 */
export function ordered(system: System, flag: number, first: StepName, then: StepName): System {
  const { store } = system.machine;
  return {
    ...system,
    agents: system.agents.map((agent, index) => ({
      ...agent,
      operations: agent.operations.map((operation, at) => {
        const isFirst = index === first.agent && at === first.operation;
        const isThen = index === then.agent && at === then.operation;
        if (!isFirst && !isThen) return operation;
        const wanted = [...(isFirst ? [first] : []), ...(isThen ? [then] : [])];
        return watched(operation, wanted, (step, name) =>
          constrained(step, store, flag, { raises: name === first, waits: name === then }),
        );
      }),
    })),
  };
}

/** What the later step of a constraint waits for, in words that no lock has. */
export const ORDER = 'order of the search';

function constrained(step: Step, store: Store, flag: number, { raises, waits }: { raises: boolean; waits: boolean }) {
  const run = () => {
    // The step depends on what it waits for, as reductions must see from its footprint.
    if (waits) store.get(flag);
    const result = step.run();
    if (raises) store.set(flag, 1);
    return result;
  };
  return new Step(step.label, run, waits ? both(step.wait, store, flag) : step.wait, step.show);
}

/** Ready when the step could run by itself and the other step has been made. */
function both(own: Waitable | undefined, store: Store, flag: number): Waitable {
  const ownReady = (): boolean => own === undefined || own.ready();
  return {
    get name() {
      return own !== undefined && !own.ready() ? own.name : ORDER;
    },
    ready: () => ownReady() && store.get(flag) === 1,
    holder: () => (ownReady() ? -1 : (own?.holder?.() ?? -1)),
  };
}

/** What to put in the place of a step that has been asked for by name. */
type Replace = (step: Step, name: StepName) => Step;

function watched({ label, start }: OperationSpec, wanted: readonly StepName[], replace: Replace): OperationSpec {
  return { label, start: () => watch(start(), wanted, replace) };
}

function* watch(task: Task, wanted: readonly StepName[], replace: Replace): Task {
  // How many steps of each wanted shape came so far; no more is counted than is asked for, so that loops end.
  let counts: readonly number[] = wanted.map(() => 0);
  let received: unknown;
  for (;;) {
    const { value, done } = task.next(received as never);
    if (done === true) return;
    if (value instanceof Forget) {
      // Local states that a forget merges may differ in what has been counted: the counts belong to the key.
      received = yield new Forget(`${value.key} ${counts.join(' ')}`);
      continue;
    }
    const shape = stepShape(value.label);
    const name = wanted.find((one, at) => one.shape === shape && one.ordinal === counts[at]);
    counts = counts.map((count, at) => {
      const one = wanted[at];
      return one?.shape === shape ? Math.min(count + 1, one.ordinal + 1) : count;
    });
    received = yield name === undefined ? value : replace(value, name);
  }
}
