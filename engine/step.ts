import type { Waitable } from './waitable.ts';

/** What a step may return: plain values only, since the results a task has received are its local state. */
export type Result = number | boolean | string | undefined;

/**
 * One atomic step of a task: a closure over the store, run by the engine when the scheduler picks the task.
 *
 * `const asid = yield* domain.asid.load()` hands the step to the engine and receives the closure's result. (A step
 * iterates over itself: `yield*` asks it for a value, gets the step, and on resumption the step returns what it is
 * given. This costs no allocation and types the result, where `yield` alone would not.)
 *
 * A closure must be deterministic, must touch shared state only through the store, must not keep state of its own, and
 * may capture only what never changes: `const`, not a `let` that the task assigns later, since the closure runs again
 * after the task has gone on. `deterministic()` finds what breaks this.
 */
export class Step<T extends Result = Result> implements StepIterator<T> {
  readonly label: string;
  readonly run: () => T;
  /** What must hold before the step can run; undefined: always enabled. */
  readonly wait: Waitable | undefined;
  /** How a report shows the result; undefined: as it is. */
  readonly show: ShowResult<never> | undefined;
  readonly done = false;

  constructor(label: string, run: () => T, wait?: Waitable, show?: ShowResult<never>) {
    this.label = label;
    this.run = run;
    this.wait = wait;
    this.show = show;
  }

  /** @internal the value of the iterator result that this step is itself (see `next`). */
  get value(): Step<T> {
    return this;
  }

  next(result?: unknown): IteratorResult<Step<T>, T> {
    if (result === undefined) return this as IteratorYieldResult<Step<T>>;
    FINISHED.value = result === NOTHING ? undefined : result;
    return FINISHED as IteratorReturnResult<T>;
  }

  [Symbol.iterator](): StepIterator<T> {
    return this;
  }
}

/** Words for a result, or undefined if a report need not show it. */
export type ShowResult<T> = (result: T) => string | undefined;

/** What `yield*` needs of a step. */
export interface StepIterator<T extends Result> {
  next(result?: unknown): IteratorResult<Step<T>, T>;
  [Symbol.iterator](): StepIterator<T>;
}

/** What the engine resumes a task with when a step returned nothing: `undefined` would mean "first call". */
export const NOTHING: unique symbol = Symbol('nothing');

const FINISHED: { done: true; value: unknown } = { done: true, value: undefined };

/**
 * A note from a task to the engine, not a step: all results received so far are dead, except what the key says.
 * Tasks at the same key of the same operation are then one local state, which merges states in a search, and lets a
 * loop go round without growing its history. The engine's debug mode checks that they do behave alike.
 */
export class Forget {
  readonly key: string | number;

  constructor(key: string | number) {
    this.key = key;
  }

  next(result?: unknown): IteratorResult<Forget, void> {
    if (result === undefined) return { done: false, value: this };
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): Forget {
    return this;
  }
}

/** Kernel or device software: a generator that yields atomic steps. */
export type Task<T = void> = Generator<Step | Forget, T, never>;

/** One atomic step. `label` is what a report shows; keep it in the field's own words ("CMD_SYNC", "lock asid_lock"). */
export function step<T extends Result>(label: string, run: () => T, show?: ShowResult<T>): Step<T> {
  return new Step(label, run, undefined, show);
}

/** An atomic step that can run only when `wait` is ready. */
export function waitStep<T extends Result>(label: string, wait: Waitable, run: () => T): Step<T> {
  return new Step(label, run, wait);
}

/** Says that all results so far are dead, except what `key` tells. */
export function forget(key: string | number): Forget {
  return new Forget(key);
}
