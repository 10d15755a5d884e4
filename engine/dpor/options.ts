import type { Failure } from '../failure.ts';

/** How to explore, and where to stop. A bound that was hit is said in the result. */
export interface TraceOptions {
  /** Most executions; default 100 million. */
  readonly executionsMax?: number;
  /** Most steps of an execution; default 10,000. */
  readonly depthMax?: number;
  /** Most steps in all; default unbounded. */
  readonly stepsMax?: number;
  /** Asked about each failure: false = not the one looked for. Default: every failure counts. */
  readonly wanted?: (failure: Failure) => boolean;
  /**
   * Go on past steps that fail, as if they had not, and count them, instead of ending at the first. The default is that a
   * step that fails ends its execution, and that the one looked for ends the exploration.
   */
  readonly countFailures?: boolean;
  /** Called at the end of each complete trace, while the target is in its last state. */
  readonly onTrace?: (schedule: readonly number[]) => void;
  /** Called for each failing step or end. */
  readonly onFailure?: (failure: Failure, schedule: readonly number[]) => void;
  /** Called when all is explored again, from the beginning: what was told of traces and failures is told again. */
  readonly onRestart?: () => void;
  /** Checked now and then: ends the exploration early. */
  readonly stop?: () => boolean;
}

/** What an exploration found and how much it looked at. */
export interface TraceResult {
  readonly verdict: 'exhausted' | 'violation' | 'bound';
  /** With verdict `bound`: which one. */
  readonly bound?: 'executions' | 'depth' | 'steps' | 'stopped';
  /** All executions: `traces`, `failed` and `blocked`. */
  readonly executions: number;
  /** Executions up to where nothing can run: of each Mazurkiewicz trace one. */
  readonly traces: number;
  /** Executions that a failing step has ended. */
  readonly failed: number;
  /** Executions given up because whatever can run has been explored elsewhere: the price of not being optimal. */
  readonly blocked: number;
  /** Steps made, without those made again to come back to a state. */
  readonly steps: number;
  /** Steps made again. */
  readonly repeated: number;
  /** Longest execution. */
  readonly depth: number;
  /** Failing steps and ends seen. */
  readonly failures: number;
  readonly failure?: Failure;
  /** Agent index of each step of the counterexample. */
  readonly schedule?: readonly number[];
}
