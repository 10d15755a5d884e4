import type { Machine } from '../engine/machine.ts';
import type { Counters } from './family.ts';

/**
 * What a world counts, in the tallies of its machine: what happened (notes), and how often each kind of operation was run
 * and did not apply. Called inside steps.
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
    const at = this.#notes.length + this.#operations.indexOf(operation);
    this.#machine.tally(at);
    if (!applied) this.#machine.tally(at + this.#operations.length);
  }

  get counters(): Counters {
    const count = (at: number): number => this.#machine.tallies[at] ?? 0;
    const base = this.#notes.length;
    const rejected = base + this.#operations.length;
    return {
      witnesses: Object.fromEntries(this.#notes.map((note, at) => [note, count(at)])),
      operations: Object.fromEntries(
        this.#operations.map((op, at) => [op, { run: count(base + at), rejected: count(rejected + at) }]),
      ),
    };
  }
}
