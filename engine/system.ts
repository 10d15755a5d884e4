import type { AgentSpec } from './agent.ts';
import type { Machine } from './machine.ts';
import type { Renaming } from './symmetry.ts';

/**
 * A world with a program loaded: what the engine runs and searches. A run is a pure function of the system (configuration
 * and program) and the schedule.
 */
export interface System {
  readonly machine: Machine;
  readonly agents: readonly AgentSpec[];
  /** Whether steps are memoised (`StepMemo`); default: if there is a check, since such worlds do much in a step. */
  readonly memoise?: boolean;
  /** Called after each step; reports violations by `machine.fail`. It may write to the store. */
  readonly check?: () => void;
  /** Called when every agent has ended and the daemons are idle: what must not be left over (leaks). */
  readonly quiescent?: () => void;
  /** Renamings that change nothing: a search keeps one state of each orbit. */
  readonly symmetry?: readonly Renaming[];
}

/** How a run ended. */
export type RunEnd =
  /** Every agent ended and the daemons are idle. */
  | 'finished'
  /** `machine.failure` says what went wrong. */
  | 'failed'
  /** The bound on steps was reached. */
  | 'bound'
  /** The strategy gave up: a replayed schedule does not fit. */
  | 'stopped';
