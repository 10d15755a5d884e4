import type { Failure } from '../failure.ts';
import type { Omissions } from './seen.ts';

/** How to search, and where to stop. A bound that was hit is said in the result. */
export interface SearchOptions {
  /** `bfs` finds a shortest counterexample; `dfs` exhausts with less memory and time. */
  readonly order: 'bfs' | 'dfs';
  /** Most context switches of a schedule: moves to another agent while the current one could continue. */
  readonly switchesMax?: number;
  /** Most distinct states; default 50 million. */
  readonly statesMax?: number;
  /** Most steps of a schedule; default 100,000. */
  readonly stepsMax?: number;
  /** Asked about each failure: false = not the one looked for, do not explore beyond it. Default: every failure counts. */
  readonly wanted?: (failure: Failure) => boolean;
  /** Explore beyond failures too, and count them, instead of ending at the first. */
  readonly countFailures?: boolean;
  /**
   * `sleep`: steps are not made of which sleep sets tell that they lead to states reached otherwise; the states, and the
   * failures that can be found, are the same. `none`: every transition is made and counted. Default: `sleep` for depth
   * first without a bound on switches (to which nothing else can be applied), unless steps are memoised: to make such a step
   * again costs less than to know that one need not.
   */
  readonly reduction?: 'sleep' | 'none';
  /**
   * How states are remembered. `full`: by 64 bits, about 11 to 15 bytes each, growing as needed. `compact`: by 4 bytes, and
   * `bitstate`: by 3 bits, in memory of fixed size; some states may then be taken for others, so such a search never says
   * `exhausted` but how probably it has missed something (`SearchResult.omissions`). Default: `full`.
   */
  readonly visited?: 'full' | 'compact' | 'bitstate';
  /** Megabytes for `compact` and `bitstate`, 1 … 4096; default 256. */
  readonly memoryMb?: number;
  /** Asked every few thousand states, with their number so far: true ends the search early. */
  readonly stop?: (states: number) => boolean;
}

/** What a search found and how much it looked at. */
export interface SearchResult {
  readonly verdict: 'exhausted' | 'violation' | 'bound';
  /** With verdict `bound`: which one. `memory`: every state was explored that was not taken for another one. */
  readonly bound?: 'states' | 'steps' | 'stopped' | 'memory';
  /** Distinct states reached, the first one included. */
  readonly states: number;
  /** Steps made: every transition of the state graph if nothing was reduced. */
  readonly transitions: number;
  /** States in which nothing is left to run. */
  readonly ends: number;
  /** Longest schedule followed. */
  readonly depth: number;
  /** Failing transitions made (1 unless `countFailures`). */
  readonly failures: number;
  readonly failure?: Failure;
  /** Agent index of each step of the counterexample. */
  readonly schedule?: readonly number[];
  /** If states were not remembered in full: what may have been missed. */
  readonly omissions?: Omissions;
}
