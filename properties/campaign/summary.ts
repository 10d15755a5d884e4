import { addSample, emptySample, type Sample } from '../../engine/statistics/unseen.ts';
import type { Counters } from '../family.ts';
import { mergeGuarantees, type Guarantee } from './guarantee.ts';

/** What a run did, and what it did not reach. Plain data, which `mergeSummaries` adds up. */
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
  /** Final states by the programs that end in them: a unit of sampling is a program with all its runs. */
  outcomes: Sample;
  /** Happens-before traces of the programs looked at closely: a unit of sampling is a run. */
  traces: TraceSample;
  /** How what was seen has grown: after 1, 2, 4, 8, … executions. */
  growth: Growth[];
  strategies: Record<string, StrategyShare>;
  /** What runs of PCT guarantee, for each depth. */
  guarantees: Guarantee[];
  witnesses: Record<string, number>;
  operations: Record<string, { run: number; rejected: number }>;
  /** Executions that ended in a failure. */
  found: number;
}

/** Traces of different programs are different; the sample is the sum of the samples of the programs. */
export interface TraceSample extends Sample {
  /** Programs looked at closely: only some, since it makes runs slower. */
  programs: number;
  /** Traces that these programs have, at least. */
  atLeast: number;
}

/** What had been seen at some time. */
export interface Growth {
  executions: number;
  seconds: number;
  /** Different final states. */
  outcomes: number;
  /** Traces of the programs looked at closely. */
  traces: number;
}

/** What one strategy of a portfolio has contributed. */
export interface StrategyShare {
  executions: number;
  found: number;
  /** Executions of programs looked at closely, and how many of them showed a trace that the program had not shown before. */
  traced: number;
  newTraces: number;
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
    outcomes: emptySample(),
    traces: { ...emptySample(), programs: 0, atLeast: 0 },
    growth: [],
    strategies: {},
    guarantees: [],
    witnesses: {},
    operations: {},
    found: 0,
  };
}

/**
 * What two runs of a campaign did together: side by side (workers: `seconds` is the longer time) or one after the other
 * (resumed: the sum). Different final states that both have seen count twice, since a summary does not name them: their
 * number, and what is estimated from it, are then too high.
 */
export function mergeSummaries(
  a: FuzzSummary,
  b: FuzzSummary,
  how: 'side by side' | 'one after the other',
): FuzzSummary {
  const sum = structuredClone(a);
  for (const key of ['executions', 'programs', 'steps', 'boundsHit', 'distinctOutcomes', 'found'] as const)
    sum[key] += b[key];
  sum.stepsMin = Math.min(a.stepsMin, b.stepsMin);
  sum.stepsMax = Math.max(a.stepsMax, b.stepsMax);
  sum.seconds = how === 'side by side' ? Math.max(a.seconds, b.seconds) : a.seconds + b.seconds;
  addSample(sum.outcomes, b.outcomes);
  addSample(sum.traces, b.traces);
  sum.traces.programs += b.traces.programs;
  sum.traces.atLeast += b.traces.atLeast;
  sum.growth = how === 'side by side' ? addGrowth(a.growth, b.growth) : continueGrowth(a, b);
  for (const [name, share] of Object.entries(b.strategies)) addShare(shareOf(sum, name), share);
  sum.guarantees = mergeGuarantees(a.guarantees, b.guarantees);
  addCounters(sum, b);
  return sum;
}

/** What a strategy has contributed, to be added to. */
export function shareOf(summary: FuzzSummary, strategy: string): StrategyShare {
  return (summary.strategies[strategy] ??= { executions: 0, found: 0, traced: 0, newTraces: 0 });
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

function addShare(sum: StrategyShare, share: StrategyShare): void {
  sum.executions += share.executions;
  sum.found += share.found;
  sum.traced += share.traced;
  sum.newTraces += share.newTraces;
}

/** Workers that have each made as many executions have together made their sum; the longer series goes no further. */
function addGrowth(a: readonly Growth[], b: readonly Growth[]): Growth[] {
  return a.slice(0, b.length).map((one, at) => {
    const other = b[at] as Growth;
    return {
      executions: one.executions + other.executions,
      seconds: Math.max(one.seconds, other.seconds),
      outcomes: one.outcomes + other.outcomes,
      traces: one.traces + other.traces,
    };
  });
}

function continueGrowth(a: FuzzSummary, b: FuzzSummary): Growth[] {
  const later = b.growth.map(({ executions, seconds, outcomes, traces }) => ({
    executions: a.executions + executions,
    seconds: a.seconds + seconds,
    outcomes: a.distinctOutcomes + outcomes,
    traces: a.traces.kinds + traces,
  }));
  const last = a.growth.at(-1)?.executions ?? 0;
  return [...a.growth, ...later.filter(({ executions }) => executions >= 2 * last)];
}
