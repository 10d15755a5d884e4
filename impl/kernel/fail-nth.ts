import { HarnessError } from '../../engine/failure.ts';
import { AGENTS_MAX, type Machine } from '../../engine/machine.ts';
import { step, type Step } from '../../engine/step.ts';

/**
 * Allocations that fail on demand, as by `/proc/self/task/TID/fail-nth` (Documentation/fault-injection): a task says that
 * the n-th allocation it makes from now on fails, once. So a program says by itself which error path is taken.
 */
export class FailNth {
  /** Called when an allocation fails on demand: for statistics, nothing that runs may depend on it. */
  onFailure: () => void = () => undefined;
  readonly #machine: Machine;
  /** For each agent: which allocation from now on fails, 0: none. */
  readonly #left: number;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#left = machine.store.reserve(AGENTS_MAX, 'fail-nth', (_agent, nth) => (nth === 0 ? 'none' : String(nth)));
    machine.nameAgents('each', this.#left, AGENTS_MAX);
  }

  /** The running task's `nth` allocation (1: the next) will fail; one that was to fail before is forgotten. */
  arm(nth: number): Step<undefined> {
    return step(`fail-nth := ${nth}`, () => {
      this.#machine.store.set(this.#left + this.#machine.current, nth);
      return undefined;
    });
  }

  /** The same for another task, by its name (`/proc/PID/fail-nth`). */
  armTask(name: string, nth: number): Step<undefined> {
    return step(`fail-nth of ${name} := ${nth}`, () => {
      const task = this.#machine.agents.findIndex((agent) => agent.name === name);
      if (task < 0) throw new HarnessError(`there is no task ${name}`);
      this.#machine.store.set(this.#left + task, nth);
      return undefined;
    });
  }

  /** Counts an allocation of the running task, inside a step. True if it is the one that fails. */
  shouldFail(): boolean {
    const { store, current } = this.#machine;
    if (current < 0) return false;
    const left = store.get(this.#left + current);
    if (left === 0) return false;
    store.set(this.#left + current, left - 1);
    if (left > 1) return false;
    this.onFailure();
    return true;
  }
}
