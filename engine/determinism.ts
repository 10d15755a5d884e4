import type { AgentSpec, OperationSpec } from './agent.ts';
import { Footprints } from './determinism/footprints.ts';
import { Histories, type History } from './determinism/histories.ts';
import { broken, compare, Trial, type Where } from './determinism/trial.ts';
import { Forget, NOTHING, Step, type Result, type Task } from './step.ts';
import type { System } from './system.ts';
import type { Waitable } from './waitable.ts';

/**
 * Debug mode: the same system, with every step checked for what run and search take for granted. A `HarnessError` names
 * the agent, the operation and the step that breaks a rule:
 *
 * - a step is a function of the store and of the results that its task has received: run twice on the same state, once
 *   more from a task rebuilt from those results, and once more after that task has gone on, it gives the same result,
 *   writes and failure. (A closure with a counter of its own, a variable assigned inside a closure instead of returned, a
 *   captured variable that the task assigns later: each is caught. A variable that is used many steps after the closure
 *   assigned it is caught by random runs, which go on from every step.)
 * - a step reads the store through `get` only (what it finds there determines what it does) and writes it through `set`
 *   only, reserves nothing, and returns a plain value;
 * - between steps a task neither reads nor writes the store;
 * - a wait asks and changes nothing, and does not depend on who runs;
 * - tasks that `forget` merges behave alike: they go on with the same labels, results and writes;
 * - the check after a step counts as a part of it: it may take notes that the step left for it, and nothing else.
 *
 * Each step costs about twenty, and a few replays of its task. State kept in JavaScript that outlives a step (shared by agents or
 * left from an earlier run) shows only between runs: `checkIsolation` finds that.
 */
export function deterministic(system: System): System {
  const trial = new Trial(system);
  const agents = system.agents.map((agent, index) => checkedAgent(agent, index, trial));
  const { check, quiescent, machine } = system;
  return {
    machine,
    agents,
    // A step taken from the memo would not be checked.
    memoise: false,
    ...(check === undefined ? {} : { check }),
    ...(quiescent === undefined ? {} : { quiescent }),
  };
}

function checkedAgent(agent: AgentSpec, index: number, trial: Trial): AgentSpec {
  const operations = agent.operations.map((operation) => {
    const start = checkedTask(operation, { agent: agent.name, operation: operation.label }, index, trial);
    return { label: operation.label, start };
  });
  return { ...agent, operations };
}

/** Steps for which a task that ran its step is compared with one that only knows the result. */
const LOOK_AHEAD = 4;
/** Steps for which tasks that `forget` merges are compared when one comes to the key. */
const LOOK_AHEAD_MERGED = 64;

/** The task with each of its steps replaced by one that checks itself. */
function checkedTask(operation: OperationSpec, where: Where, agent: number, trial: Trial): () => Task {
  const merged = new Histories();
  return function* (): Task {
    const inner = operation.start();
    const history: Result[] = [];
    /** Key of the last `forget`, and the number of results received until then. */
    let key: string | number | undefined;
    let kept = 0;
    let { value, done } = trial.outside(where, () => inner.next());
    while (!done) {
      const place: Place = { operation, where, agent, trial, history: [...history] };
      if (value instanceof Forget) {
        checkMerged(place, merged.at(value.key));
        merged.add(value.key, history);
        key = value.key;
        kept = history.length;
        yield* value;
        ({ value, done } = trial.outside(where, () => inner.next(NOTHING as never)));
        continue;
      }
      const [mergedAt, since] = [key, history.slice(kept)];
      const others = (): History[] =>
        (mergedAt === undefined ? [] : merged.at(mergedAt)).map((other) => [...other, ...since]);
      const result: Result = yield* checkedStep(
        value as Step,
        { ...place, where: { ...where, step: (value as Step).label } },
        others,
      );
      history.push(result);
      ({ value, done } = trial.outside(where, () => inner.next(resumption(result))));
    }
  };
}

/** Where a step stands: all that is needed to build its task again. */
interface Place {
  readonly operation: OperationSpec;
  readonly where: Where;
  readonly agent: number;
  readonly trial: Trial;
  readonly history: History;
}

/** A task of its own, and the step at which it stands; undefined when it has ended. */
interface Standing {
  readonly task: Task;
  readonly step: Step | undefined;
}

function checkedStep(step: Step, place: Place, others: () => History[]): Step {
  const { trial, where, history } = place;
  const footprints = new Footprints();
  const run = (): Result => {
    trial.undone(() => {
      const outcome = trial.attempt(where, step);
      compare(where, 'run twice on the same state', outcome, trial.attempt(where, step));
      footprints.check(where, trial.epoch, outcome);
      const rebuilt = rebuild(place, history);
      compareLabels(where, step, rebuilt.step, REBUILT);
      const again = rebuilt.step as Step;
      compare(where, 'run from a task rebuilt from the same results', outcome, trial.attempt(where, again));
      const ahead = proceed(place, rebuilt, outcome.result);
      compare(where, 'run again after its task has gone on', outcome, trial.attempt(where, again));
      for (const other of others()) {
        const twin = rebuild(place, other).step;
        compareLabels(where, step, twin, MERGED);
        compare(
          where,
          'run from a task that forget() merges with this one',
          outcome,
          trial.attempt(where, twin as Step),
        );
      }
      if (outcome.failure !== undefined) return;
      trial.apply(step);
      sideBySide(
        place,
        ahead,
        rebuild(place, [...history, outcome.result]),
        LOOK_AHEAD,
        REBUILT,
        'run from a task rebuilt from the same results',
      );
    });
    return step.run();
  };
  return new Step(step.label, run, step.wait === undefined ? undefined : checkedWait(step.wait, place), step.show);
}

const REBUILT = 'its task, rebuilt from the same results, comes to';
const MERGED = 'forget() merges it with a task that comes to';

/** Compares the task that has come to a `forget` with those that came to the same key before. */
function checkMerged(place: Place, others: readonly History[]): void {
  const { trial, agent } = place;
  trial.undone(() => {
    trial.runAs(agent, () => {
      for (const other of others)
        sideBySide(
          place,
          rebuild(place, place.history),
          rebuild(place, other),
          LOOK_AHEAD_MERGED,
          MERGED,
          'run from a task that forget() merges with this one',
        );
    });
  });
}

/** Lets two tasks run on, alone and in step, until they wait, end or fail, or `limit` steps have been compared. */
function sideBySide(place: Place, one: Standing, other: Standing, limit: number, labels: string, how: string): void {
  const { trial } = place;
  let [first, second] = [one, other];
  for (let at = 0; at < limit; at++) {
    const { step } = first;
    const where: Where = { ...place.where, step: step?.label ?? 'end' };
    if (step === undefined && second.step === undefined) return;
    compareLabels(where, step, second.step, labels);
    if (step === undefined || second.step === undefined || step.wait?.ready() === false) return;
    const outcome = trial.attempt(where, step);
    compare(where, how, outcome, trial.attempt(where, second.step));
    if (outcome.failure !== undefined) return;
    trial.apply(step);
    first = proceed(place, first, outcome.result);
    second = proceed(place, second, outcome.result);
  }
}

function compareLabels(where: Where, step: Step | undefined, other: Step | undefined, what: string): void {
  if (other?.label === step?.label) return;
  throw broken(where, `${what} ${other === undefined ? 'its end' : `"${other.label}"`}.`);
}

/** A task that has received `history`. */
function rebuild(place: Place, history: History): Standing {
  const task = place.operation.start();
  let standing = settle(place, task, undefined);
  for (const result of history) if (standing.step !== undefined) standing = proceed(place, standing, result);
  return standing;
}

/** The same task, after its step returned `result`. */
function proceed(place: Place, { task }: Standing, result: Result): Standing {
  return settle(place, task, resumption(result));
}

function settle({ trial, where }: Place, task: Task, received: Result): Standing {
  return trial.outside(where, () => {
    let { value, done } = task.next(received as never);
    while (!done && value instanceof Forget) ({ value, done } = task.next(NOTHING as never));
    return { task, step: done ? undefined : (value as Step) };
  });
}

/** What a task is resumed with (never `undefined`, which a step takes for its first call). */
function resumption(result: Result): never {
  return (result === undefined ? NOTHING : result) as never;
}

function checkedWait(wait: Waitable, { where, agent, trial }: Place): Waitable {
  const { name, ender } = wait;
  return {
    name,
    ready: () => trial.pure(where, agent, () => wait.ready()),
    ...(wait.holder === undefined ? {} : { holder: () => trial.pure(where, agent, () => wait.holder?.() ?? -1) }),
    ...(ender === undefined ? {} : { ender }),
  };
}
