/**
 * Chooses who runs next. One file each; every strategy passes the law tests of `strategies.test.ts`: it picks an enabled
 * agent, and it is a pure function of its seed.
 */
export interface Strategy {
  readonly name: string;
  /**
   * A run begins.
   * @param agents number of agents; @param stepsExpected an estimate of the run's length (PCT places its change points by it).
   */
  begin(seed: number, agents: number, stepsExpected: number): void;
  /**
   * Picks one of `enabled[0 … count-1]` (agent indices, ascending; count ≥ 1).
   * @param step number of steps made so far; @param previous the agent that ran last, or -1.
   * @returns the agent, or -1 to end the run (replay that no longer fits).
   */
  pick(enabled: Int32Array, count: number, step: number, previous: number): number;
}
