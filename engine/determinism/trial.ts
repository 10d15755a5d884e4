import { HarnessError, type Failure } from '../failure.ts';
import type { Machine } from '../machine.ts';
import type { Result, Step } from '../step.ts';
import type { System } from '../system.ts';

/** Names a step in an error. */
export interface Where {
  readonly agent: string;
  readonly operation: string;
  readonly step?: string;
}

/** What running a step on a state did. */
export interface Outcome {
  readonly result: Result;
  readonly failure: Failure | undefined;
  /** Cells whose value changed, and the new value. */
  readonly writes: ReadonlyMap<number, number>;
  /** Cells read or overwritten, in order of first use, and what was in them. */
  readonly footprint: string;
}

/** Runs steps for trial: the state is as before after each, and whatever did not go through the store is noticed. */
export class Trial {
  readonly #machine: Machine;
  readonly #check: (() => void) | undefined;

  constructor({ machine, check }: System) {
    this.#machine = machine;
    this.#check = check;
  }

  /** `Store.epoch`. */
  get epoch(): number {
    return this.#machine.store.epoch;
  }

  /** Runs trials, and takes back whatever they wrote, read and reported. */
  undone(trials: () => void): void {
    const { store, failure } = this.#machine;
    const mark = store.mark();
    const tallies = this.#machine.tallies.slice();
    const { talliesOfStep } = this.#machine;
    this.#machine.talliesOfStep = undefined;
    this.#machine.failure = undefined;
    store.readsOf(trials);
    store.rollback(mark);
    this.#machine.failure = failure;
    this.#machine.talliesOfStep = talliesOfStep;
    this.#machine.tallies.set(tallies);
  }

  /** Does something as an agent: steps know who runs. */
  runAs(agent: number, body: () => void): void {
    const { current } = this.#machine;
    this.#machine.current = agent;
    body();
    this.#machine.current = current;
  }

  /** Runs a step and the check after it. */
  apply(step: Step): Result {
    const result = step.run();
    this.#check?.();
    return result;
  }

  /** Runs a step once, with the check after it, and takes it back. */
  attempt(where: Where, step: Step): Outcome {
    const { store } = this.#machine;
    const mark = store.mark();
    const cells = store.cells.slice(0, store.size);
    this.#machine.failure = undefined;
    let result: Result;
    const reads = store.readsOf(() => (result = this.apply(step)), true);
    if (!isPlain(result))
      throw broken(where, `returned ${describe(result)}: a result must be a number, boolean, string or undefined.`);
    const writes = new Map<number, number>();
    for (let at = mark; at < store.logLength; at++) {
      const cell = store.logCell[at] as number;
      const now = store.cells[cell] as number;
      if (now !== cells[cell]) writes.set(cell, now);
    }
    const { failure } = this.#machine;
    this.#machine.failure = undefined;
    store.rollback(mark);
    if (store.size !== cells.length) throw broken(where, 'reserved cells of the store: that is for layout time only.');
    for (let cell = 0; cell < cells.length; cell++)
      if (store.cells[cell] !== cells[cell])
        throw broken(where, `wrote ${store.locate(cell).region.name} without Store.set, so that it cannot be undone.`);
    return { result, failure, writes, footprint: reads.map((cell) => `${cell}=${cells[cell]}`).join() };
  }

  /** Runs what stands between steps, which must leave the store alone. */
  outside<T>(where: Where, body: () => T): T {
    const { store } = this.#machine;
    const { logLength } = store;
    let value: T | undefined;
    const [read] = store.readsOf(() => (value = body()));
    const touched = store.logLength > logLength ? store.logCell[logLength] : read;
    if (touched === undefined) return value as T;
    const verb = store.logLength > logLength ? 'wrote' : 'read';
    throw broken(
      where,
      `its task ${verb} ${store.locate(touched as number).region.name} between steps: only a step may.`,
    );
  }

  /** Asks a wait twice, once as the agent and once as nobody: the same answer, and nothing changed. */
  pure<T>(where: Where, agent: number, ask: () => T): T {
    const machine = this.#machine;
    const { store, current, failure } = machine;
    const mark = store.mark();
    machine.current = agent;
    const first = ask();
    machine.current = -1;
    const second = ask();
    machine.current = current;
    if (store.mark() !== mark) throw broken(where, 'its wait wrote to the store.');
    if (machine.failure !== failure) throw broken(where, 'its wait reported a failure.');
    if (first !== second)
      throw broken(where, `its wait answered ${String(first)} and then ${String(second)} on the same state.`);
    return first;
  }
}

/** Throws unless two runs of a step did the same. */
export function compare(where: Where, how: string, first: Outcome, second: Outcome): void {
  if (!Object.is(first.result, second.result))
    throw broken(where, `${how}, it returned ${describe(first.result)} and then ${describe(second.result)}.`);
  if (first.failure?.message !== second.failure?.message)
    throw broken(where, `${how}, it reported ${reported(first)} and then ${reported(second)}.`);
  for (const [one, other] of [[first, second] as const, [second, first] as const])
    for (const [cell, value] of one.writes)
      if (other.writes.get(cell) !== value) throw broken(where, `${how}, it wrote different values to the store.`);
}

function reported({ failure }: Outcome): string {
  return failure === undefined ? 'no failure' : `"${failure.message}"`;
}

function describe(result: unknown): string {
  return typeof result === 'string' ? JSON.stringify(result) : String(result);
}

function isPlain(result: unknown): boolean {
  if (typeof result === 'number') return !Number.isNaN(result);
  return result === undefined || typeof result === 'boolean' || typeof result === 'string';
}

/** The error for a broken rule. */
export function broken({ agent, operation, step }: Where, what: string): HarnessError {
  return new HarnessError(`${agent}, ${operation}${step === undefined ? '' : `, "${step}"`}: ${what}`);
}
