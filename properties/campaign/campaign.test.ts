import { describe, expect, test } from 'vitest';
import { asid } from '../asid/index.ts';
import { fuzz, mergeSummaries, STRATEGY_NAMES, type FuzzSummary } from '../campaign.ts';
import { addBound, mergeGuarantees, ProgramGuarantee, type Guarantee } from './guarantee.ts';
import { emptySummary } from './summary.ts';

const run = (seed: number, runs: number, strategy: (typeof STRATEGY_NAMES)[number] = 'portfolio') =>
  fuzz(asid, { seed, runs, strategy, onFound: ({ failure }) => expect.fail(failure.message) });

const sum = (summary: FuzzSummary, what: 'executions' | 'traced' | 'newTraces'): number =>
  Object.values(summary.strategies).reduce((total, share) => total + share[what], 0);

describe('the statistics of a campaign', () => {
  test.each(STRATEGY_NAMES)('%s: what is counted in two ways agrees', async (strategy) => {
    const summary = await run(1, 1_200, strategy);
    expect(summary.executions).toBe(1_200);
    expect(sum(summary, 'executions')).toBe(1_200);
    expect(sum(summary, 'traced')).toBe(summary.traces.units);
    expect(sum(summary, 'newTraces')).toBe(summary.traces.kinds);
    expect(summary.outcomes).toMatchObject({ units: summary.programs, kinds: summary.distinctOutcomes });
    expect(summary.traces.programs).toBe(Math.ceil(summary.programs / 15));
    expect(summary.traces.atLeast).toBeGreaterThanOrEqual(summary.traces.kinds);
    expect(summary.stepsMin * summary.executions).toBeLessThanOrEqual(summary.steps);
    expect(summary.stepsMax * summary.executions).toBeGreaterThanOrEqual(summary.steps);
    for (const { programs, missed, depth } of summary.guarantees) {
      expect(depth).toBeGreaterThanOrEqual(2);
      expect(programs).toBeLessThanOrEqual(summary.programs);
      expect(missed).toBeGreaterThan(0);
      expect(missed).toBeLessThan(programs);
    }
  });

  test('growth is noted after 1, 2, 4, 8, … executions, and never goes back', async () => {
    const { growth, distinctOutcomes } = await run(2, 1_100);
    expect(growth.map(({ executions }) => executions)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    for (const what of ['seconds', 'outcomes', 'traces'] as const) {
      const series = growth.map((point) => point[what]);
      expect(series).toEqual(series.toSorted((a, b) => a - b));
    }
    expect(growth.at(-1)?.outcomes).toBeLessThanOrEqual(distinctOutcomes);
  });

  test('are plain data, and a function of the seed', async () => {
    const untimed = (summary: FuzzSummary) => ({ ...summary, seconds: 0, growth: summary.growth.length });
    const summary = untimed(await run(3, 600));
    expect(structuredClone(summary)).toEqual(summary);
    expect(untimed(await run(3, 600))).toEqual(summary);
  });

  test('add up: side by side and one after the other', async () => {
    const [a, b] = [await run(4, 700), await run(5, 300)];
    const after = mergeSummaries(a, b, 'one after the other');
    expect(after).toMatchObject({ executions: 1_000, steps: a.steps + b.steps, seconds: a.seconds + b.seconds });
    expect(after.traces.units).toBe(a.traces.units + b.traces.units);
    expect(sum(after, 'executions')).toBe(1_000);
    expect(after.growth.slice(0, a.growth.length)).toEqual(a.growth);
    expect(after.operations['attach']?.run).toBe(
      (a.operations['attach']?.run ?? 0) + (b.operations['attach']?.run ?? 0),
    );
    const beside = mergeSummaries(a, b, 'side by side');
    expect(beside.seconds).toBe(Math.max(a.seconds, b.seconds));
    expect(beside.growth.map(({ executions }) => executions)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512]);
    expect(mergeSummaries(emptySummary(), a, 'one after the other')).toEqual(a);
    expect(mergeSummaries(a, emptySummary(), 'one after the other')).toEqual(a);
  });
});

describe('what PCT guarantees of a program', () => {
  test('only runs with change points over its longest run count', () => {
    const guarantee = new ProgramGuarantee(2);
    for (const length of [64, 10, 20, 20]) guarantee.add(length);
    const { missed, ...rest } = guarantee.bound(3, 20);
    expect(rest).toEqual({ agents: 3, steps: 20, runs: 3 });
    expect(missed).toBeCloseTo((1 - 1 / (3 * 64)) * (1 - 1 / 60) ** 2, 12);
    expect(guarantee.bound(3, 100)).toEqual({ agents: 3, steps: 100, runs: 0, missed: 1 });
  });

  test('adds up over programs, and the largest one is named', () => {
    const small = { agents: 2, steps: 10, runs: 5, missed: 0.5 };
    const large = { agents: 3, steps: 50, runs: 0, missed: 1 };
    const guarantees: Guarantee[] = [];
    addBound(guarantees, 2, large);
    addBound(guarantees, 2, small);
    addBound(guarantees, 3, small);
    expect(guarantees).toEqual([
      { depth: 2, programs: 2, missed: 1.5, largest: large },
      { depth: 3, programs: 1, missed: 0.5, largest: small },
    ]);
    expect(mergeGuarantees(guarantees.slice(1), guarantees)).toEqual([
      { depth: 3, programs: 2, missed: 1, largest: small },
      { depth: 2, programs: 2, missed: 1.5, largest: large },
    ]);
  });
});
