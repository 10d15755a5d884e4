/** What a campaign's statistics say, in words. */
import { collisionProbability, kindsAtLeast, newPerUnit } from '../engine/statistics/unseen.ts';
import type { FuzzSummary } from '../properties/campaign.ts';
import { grouped, plural } from '../traces/report/text.ts';

/** Points of the growth that are shown. */
const POINTS_MAX = 5;

/** "10,182,509 (2 to 214 in a run, 46 on average, 1,018,244/s)". */
export function stepsText({ steps, stepsMin, stepsMax, seconds, executions }: FuzzSummary): string {
  if (executions === 0) return '0';
  const mean = grouped(steps / executions);
  const rate = seconds <= 0 ? '' : `, ${grouped(steps / seconds)}/s`;
  return `${grouped(steps)} (${grouped(stepsMin)} to ${grouped(stepsMax)} in a run, ${mean} on average${rate})`;
}

/** Different final states, and how many there may be besides. */
export function outcomesText({ outcomes, distinctOutcomes, programs }: FuzzSummary): string {
  const seen = `${grouped(distinctOutcomes)} different final states`;
  if (programs < 2) return seen;
  const least = significant(kindsAtLeast(outcomes));
  return `${seen}; another program would show ${newPerUnit(outcomes).toPrecision(2)} new ones, and there are at least ${least} (Good-Turing, Chao); two fingerprints agree with probability ${collisionProbability(distinctOutcomes).toExponential(0)}`;
}

/** What the runs of the programs looked at closely have shown. */
export function tracesText({ traces, programs }: FuzzSummary): string {
  if (traces.programs === 0) return '';
  const { kinds, units, atLeast } = traces;
  const which = `${plural(units, 'run')} of ${grouped(traces.programs)} of the ${plural(programs, 'program')}`;
  return `${grouped(kinds)} happens-before traces in ${which}; another run would show a new one with probability ${newPerUnit(traces).toFixed(2)}, and there are at least ${significant(atLeast)}`;
}

/** How final states and traces grew: "at 27,000 executions 5,210 outcomes and 2,100 traces". */
export function growthText({ growth, traces }: FuzzSummary): string {
  const points = growth.slice(-POINTS_MAX);
  if (points.length < 2) return '';
  const row = (of: (point: (typeof points)[number]) => number): string => points.map((p) => grouped(of(p))).join(' → ');
  const shown = [
    `executions ${row(({ executions }) => executions)}`,
    `outcomes ${row(({ outcomes }) => outcomes)}`,
    traces.programs === 0 ? '' : `traces ${row((point) => point.traces)}`,
  ];
  return shown.filter((text) => text !== '').join(' · ');
}

/** Executions of each strategy, and how many of those looked at closely showed a new trace. */
export function strategiesText({ strategies }: FuzzSummary): string {
  const all = Object.entries(strategies);
  if (all.length < 2) return '';
  return all
    .map(([name, { executions, traced, newTraces }]) =>
      traced === 0
        ? `${name} ${grouped(executions)}`
        : `${name} ${grouped(executions)} (${percent(newTraces, traced)} new traces)`,
    )
    .join(' · ');
}

/** What runs of PCT guarantee, of the shallowest bugs that they aim at; no more than the theorem says. */
export function guaranteesText({ guarantees }: FuzzSummary): string {
  const [shallowest] = guarantees.toSorted((a, b) => a.depth - b.depth);
  if (shallowest === undefined) return '';
  const { depth, programs, missed, largest } = shallowest;
  const { agents, steps } = largest;
  const one = `1/${grouped(agents * steps ** (depth - 1))}`;
  return `a bug of depth ${depth} is missed by all runs of PCT ${depth} of its program with probability at most ${probability(missed / programs)} (mean of the programs); in the largest, ${plural(agents, 'agent')} and ${plural(steps, 'step')}, one run finds it with ${one} at least`;
}

/** Share of each kind of operation, and how many of the kind did not apply. */
export function operationsText({ operations }: FuzzSummary): string {
  const all = Object.entries(operations).toSorted(([a], [b]) => a.localeCompare(b));
  const total = all.reduce((sum, [, { run }]) => sum + run, 0);
  if (total === 0) return '';
  const mix = all.map(([name, { run, rejected }]) => {
    const share = `${name} ${percent(run, total)}`;
    return rejected === 0 ? share : `${share} (${percent(rejected, run)})`;
  });
  return `${grouped(total)}; in brackets, how many did not apply: ${mix.join(' · ')}`;
}

function percent(part: number, whole: number): string {
  const share = (100 * part) / whole;
  return `${share > 0 && share < 1 ? share.toPrecision(1) : share.toFixed(0)} %`;
}

/** A probability near 1 with as many digits as it takes to tell it from 1. */
function probability(value: number): string {
  if (value > 0.9 && value < 1) return value.toFixed(1 - Math.floor(Math.log10(1 - value)));
  return value.toPrecision(2);
}

/** An estimate: two digits that mean something. */
function significant(value: number): string {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1);
  return grouped(Math.floor(value / unit) * unit);
}
