import { LOSSES, noInvalidations, type Loss, type MaintenanceKind } from '../../model/contract/invalidation.ts';
import type { CommandCounts } from './commands.ts';
import type { CostDesign } from './scenario.ts';

/** What designs cost, and whether they are safe. */
export interface CostReport {
  readonly seed: number;
  /** Executions under each design. */
  readonly runs: number;
  readonly designs: readonly DesignCost[];
}

/** What was counted under one design. */
export interface DesignCost extends Readonly<Record<MaintenanceKind, Sums>> {
  readonly design: string;
  readonly summary: string;
  /** Known not to be safe. */
  readonly mistaken: boolean;
  executions: number;
  steps: number;
  /** Executions that did not end within the bound on steps. */
  cutOff: number;
  /** Executions that ended in a violation, by monitor and rule. */
  readonly violations: Record<string, number>;
  readonly commands: Writable<CommandCounts>;
  /** TLBI commands that a broadcast made unnecessary. */
  leftOut: number;
  readonly units: UnitCost[];
  readonly exhausted: Exhausted[];
}

/** What a unit costs: the least and the most, over the schedules that were run. */
export interface UnitCost {
  readonly title: string;
  /** Schedules under which it ended without a violation. */
  readonly finished: number;
  readonly broadcasts: Range;
  /** Valid entries that the SMMU had to drop for broadcasts. */
  readonly lost: Range;
  readonly commands: Readonly<Record<keyof CommandCounts, Range>>;
}

/** Two bounds, both reached. */
export type Range = readonly [least: number, most: number];

/** All schedules of a small program. */
export interface Exhausted {
  readonly litmus: string;
  readonly verdict: 'holds' | 'violated' | 'not exhausted';
  readonly states: number;
  /** Of the violation: monitor/rule. */
  readonly rule?: string;
}

type Writable<T> = { -readonly [key in keyof T]: T[key] };
type Sums = ReturnType<typeof noInvalidations>;

/** Nothing counted yet. */
export function noCost({ name, summary, mistaken = false }: CostDesign): DesignCost {
  return {
    design: name,
    summary,
    mistaken,
    executions: 0,
    steps: 0,
    cutOff: 0,
    violations: {},
    broadcast: noInvalidations(),
    command: noInvalidations(),
    commands: { tlbi: 0, sync: 0, atc: 0, cfgi: 0 },
    leftOut: 0,
    units: [],
    exhausted: [],
  };
}

/** Number of entries lost that memory would bring back, whoever they were lost to. */
export function inVain(losses: Readonly<Record<Loss, number>>): number {
  return LOSSES.reduce((sum, loss) => (loss === 'needed' || loss === 'dead' ? sum : sum + losses[loss]), 0);
}

/**
 * Valid entries lost to broadcasts, over those that were held when they were made, in percent; undefined: none were. What
 * is lost to maintenance that was meant for everything is accepted, and counted apart.
 */
export function shareLost({ broadcast }: DesignCost): number | undefined {
  return percentOf(inVain(broadcast.lost) - broadcast.lost.broad, broadcast.held);
}

/** The same of what was lost to maintenance that was meant for everything. */
export function shareLostToAll({ broadcast }: DesignCost): number | undefined {
  return percentOf(broadcast.lost.broad, broadcast.held);
}

function percentOf(part: number, of: number): number | undefined {
  return of === 0 ? undefined : (100 * part) / of;
}

/** Whether a design came out as it is known to be. */
export function isAsExpected(design: DesignCost): boolean {
  return isSafe(design) !== design.mistaken;
}

/** Whether every execution and every search of a design has held. */
export function isSafe({ violations, exhausted }: DesignCost): boolean {
  return Object.keys(violations).length === 0 && exhausted.every(({ verdict }) => verdict !== 'violated');
}
