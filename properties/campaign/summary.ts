import type { Counters } from '../family.ts';

/** What a run did, and what it did not reach. */
export interface FuzzSummary {
  executions: number;
  programs: number;
  steps: number;
  stepsMin: number;
  stepsMax: number;
  /** Runs cut off at the bound on steps. */
  boundsHit: number;
  seconds: number;
  /** Different final states seen. */
  distinctOutcomes: number;
  witnesses: Record<string, number>;
  operations: Record<string, { run: number; rejected: number }>;
  /** Executions that ended in a failure. */
  found: number;
}

/** The summary of a run that has done nothing yet. */
export function emptySummary(): FuzzSummary {
  return {
    executions: 0,
    programs: 0,
    steps: 0,
    stepsMin: Infinity,
    stepsMax: 0,
    boundsHit: 0,
    seconds: 0,
    distinctOutcomes: 0,
    witnesses: {},
    operations: {},
    found: 0,
  };
}

/** Adds what one world has counted to a total. */
export function addCounters(total: Counters, counters: Counters): void {
  for (const [name, count] of Object.entries(counters.witnesses))
    total.witnesses[name] = (total.witnesses[name] ?? 0) + count;
  for (const [name, { run, rejected }] of Object.entries(counters.operations)) {
    const sum = (total.operations[name] ??= { run: 0, rejected: 0 });
    sum.run += run;
    sum.rejected += rejected;
  }
}
