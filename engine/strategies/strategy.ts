import type { Node } from '../automaton.ts';
import type { Footprint, Footprints } from '../footprint.ts';
import type { Store } from '../store.ts';
import type { RunEnd } from '../system.ts';

/** What a strategy may know about the program and the run: a `Runner`. One view stands for one program. */
export interface RunView {
  /** The pending local state of each agent; an agent whose node has no step has ended. */
  readonly nodes: readonly Node[];
  readonly store: Store;
  /** The agents that ran, as far as the run has gone. */
  readonly schedule: Int32Array;
  /** Undo mark of the state before the first step. */
  readonly root: number;
  /** Steps of the longest run of this program so far, under whatever strategy; before the first, a guess. */
  readonly stepsExpected: number;
  /** The table of footprints, for strategies that have `ran`. */
  readonly footprints: Footprints | undefined;
}

/**
 * Chooses who runs next. One file each; every strategy passes the law tests of `strategies.test.ts`: it picks an enabled
 * agent, and it is a pure function of its seed and, if it learns, of what it saw in earlier runs of the same program.
 */
export interface Strategy {
  readonly name: string;
  /** A run begins. A strategy that learns forgets everything when the view is another one than before. */
  begin(seed: number, view: RunView): void;
  /**
   * Picks one of `enabled[0 … count-1]` (agent indices, ascending; count ≥ 1).
   * @param step number of steps made so far; @param previous the agent that ran last, or -1.
   * @returns the agent, or -1 to end the run (replay that no longer fits).
   */
  pick(enabled: Int32Array, count: number, step: number, previous: number): number;
  /**
   * The step that was pending at `node` has been made; `footprint` is what it, its wait and the check after it touched. A
   * strategy that has this makes runs slower: steps are traced.
   */
  ran?(node: Node, footprint: Footprint): void;
  /** The run has ended; the store is still in its last state. */
  ended?(end: RunEnd): void;
}
