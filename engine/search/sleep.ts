import type { Footprint, Footprints } from '../footprint.ts';
import { AGENTS_MAX } from '../machine.ts';
import type { StepMemo } from '../memo.ts';
import type { Store } from '../store.ts';

/**
 * Sleep sets (P. Godefroid, "Using partial orders to improve automatic verification methods", 1990; with state matching:
 * P. Godefroid, G. Holzmann, D. Pirottin, "State-space caching revisited", 1992). An agent of which all has been explored
 * from a state, or that slept there, sleeps in the state behind another agent's step if the two steps commute: what it
 * would lead to has been seen in the other order. Every state is still reached; most steps that lead to known states are
 * not made.
 *
 * Two steps commute if neither writes what the other one, its wait or the check after it touches. What an agent's step
 * touches is taken from when it was made; while the agent sleeps nobody writes that, so it would do the same again.
 */
export interface Sleepers {
  /** To be called when a step has been made from the state at `depth`, with the agents that slept there: those that sleep on. */
  pass(depth: number, agent: number, asleep: number): number;
}

/** Words of one depth: cells touched and cells written by each agent's step. */
const WORDS = AGENTS_MAX * 2;

/** By the store's own two words of bits: the fastest, and exact enough for some dozens of cells. */
export class RoughSleepers implements Sleepers {
  readonly #store: Store;
  #words = new Int32Array(64 * WORDS);
  #epoch: number;

  constructor(store: Store) {
    this.#store = store;
    this.#epoch = store.epoch;
  }

  pass(depth: number, agent: number, asleep: number): number {
    const { touched, written, epoch } = this.#store;
    const from = depth * WORDS;
    const to = from + WORDS;
    if (to === this.#words.length) this.#grow();
    const words = this.#words;
    if (epoch !== this.#epoch) {
      // What steps read may be more now than it was: all that has run counts as having touched everything.
      this.#epoch = epoch;
      words.fill(-1);
      return 0;
    }
    words[from + agent] = touched;
    words[from + AGENTS_MAX + agent] = written;
    let kept = 0;
    for (let rest = asleep; rest !== 0;) {
      const other = 31 - Math.clz32(rest);
      rest ^= 1 << other;
      const touches = words[from + other] as number;
      const writes = words[from + AGENTS_MAX + other] as number;
      if (((touches & written) | (touched & writes)) !== 0) continue;
      kept |= 1 << other;
      words[to + other] = touches;
      words[to + AGENTS_MAX + other] = writes;
    }
    return kept;
  }

  #grow(): void {
    const grown = new Int32Array(this.#words.length * 2);
    grown.set(this.#words);
    this.#words = grown;
  }
}

/** To the cell: for worlds of thousands of cells, whose steps are remembered with their footprints. */
export class ExactSleepers implements Sleepers {
  readonly #store: Store;
  readonly #memo: StepMemo;
  readonly #table: Footprints;
  /** For each depth and agent; undefined: what it touched is not known any more. */
  readonly #footprints: (Footprint | undefined)[] = [];
  #epoch: number;

  constructor(store: Store, memo: StepMemo, table: Footprints) {
    this.#store = store;
    this.#memo = memo;
    this.#table = table;
    this.#epoch = store.epoch;
  }

  pass(depth: number, agent: number, asleep: number): number {
    const footprints = this.#footprints;
    const from = depth * AGENTS_MAX;
    const to = from + AGENTS_MAX;
    while (footprints.length < to + AGENTS_MAX) footprints.push(undefined);
    if (this.#store.epoch !== this.#epoch) {
      this.#epoch = this.#store.epoch;
      footprints.fill(undefined);
      return 0;
    }
    const own = this.#memo.footprint as Footprint;
    footprints[from + agent] = own;
    let kept = 0;
    for (let rest = asleep; rest !== 0;) {
      const other = 31 - Math.clz32(rest);
      rest ^= 1 << other;
      const footprint = footprints[from + other];
      if (footprint === undefined || this.#table.dependent(own, footprint)) continue;
      kept |= 1 << other;
      footprints[to + other] = footprint;
    }
    return kept;
  }
}
