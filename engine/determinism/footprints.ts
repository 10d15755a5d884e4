import { compare, type Outcome, type Where } from './trial.ts';

/** Footprints kept for each step. */
const KEPT = 1000;

/**
 * What one step of one local state did, by what it found in the cells that it read (and in those that it overwrote). A
 * step that does something else after finding the same has read what the store did not see: state kept in JavaScript, or
 * cells taken from `Store.cells` and not by `get`. Memoised steps rest on this.
 */
export class Footprints {
  readonly #known = new Map<string, Outcome>();
  #epoch = -1;

  /** Compares an outcome with the one known for its footprint. @param epoch `Store.epoch`. */
  check(where: Where, epoch: number, outcome: Outcome): void {
    if (epoch !== this.#epoch || this.#known.size === KEPT) this.#known.clear();
    this.#epoch = epoch;
    const known = this.#known.get(outcome.footprint);
    if (known === undefined) this.#known.set(outcome.footprint, outcome);
    else compare(where, 'run on two states in which it read the same', known, outcome);
  }
}
