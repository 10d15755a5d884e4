import type { Failure } from '../failure.ts';
import type { Footprint, Footprints } from '../footprint.ts';

/**
 * What an exploration by traces needs of a program under test. Nothing has to be hashed, and nothing has to be undone: a
 * target without `backTo` is reset and led through the steps again. So an external process can be one.
 *
 * A step and whether it can run are functions of the cells that the footprints name (or of whatever resources their numbers
 * stand for), and of the steps that the same agent has made.
 */
export interface TraceTarget {
  /** Number of agents, 1 … 16. */
  readonly agents: number;
  /** The table that all footprints of this target are from. */
  readonly footprints: Footprints;
  /** Goes to the state before the first step. */
  reset(): void;
  /** Goes back to the state after the first `depth` steps. */
  backTo?(depth: number): void;
  /** True if the agent has a next step and that can run now. */
  enabled(agent: number): boolean;
  /**
   * What decides whether the agent's next step can run: all that `enabled` has ever read for this step, as read and not
   * written. Undefined for a step that never waits, and for an agent that has ended.
   */
  watched(agent: number): Footprint | undefined;
  /** Runs the next step of an agent that is enabled. The footprint is also of what its wait has read. */
  step(agent: number): Footprint;
  /** What is wrong with the last step, or since `conclude` with the end. */
  readonly failure: Failure | undefined;
  /** Called when no agent can run: judges the end. */
  conclude(): void;
  /**
   * Whether the agent's next step could run after the first `depth` steps and those later ones that are `kept` (1 at their
   * position), all of which can be made without the ones left out. If it is missing, some executions are made in vain.
   */
  readyAfter?(agent: number, depth: number, kept: Uint8Array): boolean;
}
