import type { Machine } from '../engine/machine.ts';
import { Step, step, type Result, type Task } from '../engine/step.ts';
import type { Counters } from './family.ts';

/**
 * What a world counts, in the tallies of its machine: what happened (notes), and how often each kind of operation was run
 * and did not apply. Called inside steps. Tallies are outside the store: nothing that runs may depend on them, and a search
 * counts each transition that it makes.
 */
export class Tallies<Note extends string, Op extends string> {
  readonly #machine: Machine;
  readonly #notes: readonly Note[];
  readonly #operations: readonly Op[];

  constructor(machine: Machine, notes: readonly Note[], operations: readonly Op[]) {
    this.#machine = machine;
    this.#notes = notes;
    this.#operations = operations;
  }

  /** Forgets what was counted: set-up is not part of a run. */
  clear(): void {
    this.#machine.tallies.fill(0);
  }

  noted(note: Note): void {
    this.#machine.tally(this.#notes.indexOf(note));
  }

  /** An operation has been run, to some effect or not. */
  ran(operation: Op, applied: boolean): void {
    const at = this.#operationAt(operation);
    this.#machine.tally(at);
    if (!applied) this.#machine.tally(at + this.#operations.length);
  }

  /** Runs an operation and counts it at its first step; and once more if its task says that it does not apply. */
  *counted(operation: Op, task: Task<boolean>): Task {
    const machine = this.#machine;
    const at = this.#operationAt(operation);
    let { value, done } = task.next();
    if (!done && value instanceof Step) {
      const first = value;
      const run = (): Result => {
        machine.tally(at);
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
        machine.tally(at + this.#operations.length);
        return undefined;
      });
  }

  get counters(): Counters {
    const count = (at: number): number => this.#machine.tallies[at] ?? 0;
    const rejected = this.#operations.length;
    return {
      witnesses: Object.fromEntries(this.#notes.map((note, at) => [note, count(at)])),
      operations: Object.fromEntries(
        this.#operations.map((op) => {
          const at = this.#operationAt(op);
          return [op, { run: count(at), rejected: count(at + rejected) }];
        }),
      ),
    };
  }

  /** Notes come first, then how often each operation was run, then how often it did not apply. */
  #operationAt(operation: Op): number {
    return this.#notes.length + this.#operations.indexOf(operation);
  }
}
