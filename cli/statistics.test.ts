import { expect, test } from 'vitest';
import { emptySummary } from '../properties/campaign/summary.ts';
import type { FuzzSummary } from '../properties/campaign.ts';
import {
  growthText,
  guaranteesText,
  operationsText,
  outcomesText,
  stepsText,
  strategiesText,
  tracesText,
} from './statistics.ts';

const summary: FuzzSummary = {
  ...emptySummary(),
  executions: 4_800,
  programs: 100,
  steps: 220_800,
  stepsMin: 2,
  stepsMax: 214,
  seconds: 2,
  distinctOutcomes: 900,
  outcomes: { units: 100, kinds: 900, once: 300, twice: 99 },
  traces: { units: 336, kinds: 200, once: 84, twice: 40, programs: 7, atLeast: 345.6 },
  growth: [1, 2, 4, 8, 16, 32, 64].map((executions) => ({
    executions: executions * 64,
    seconds: executions / 40,
    outcomes: executions * 10,
    traces: executions * 3,
  })),
  strategies: {
    pct3: { executions: 2_400, found: 0, traced: 168, newTraces: 126 },
    random: { executions: 2_400, found: 0, traced: 0, newTraces: 0 },
  },
  guarantees: [{ depth: 3, programs: 100, missed: 99.7, largest: { agents: 3, steps: 100, runs: 48, missed: 0.998 } }],
  operations: {
    unmap: { run: 1_000, rejected: 150 },
    attach: { run: 2_990, rejected: 0 },
    exit: { run: 10, rejected: 0 },
  },
};

test('statistics in words', () => {
  expect(stepsText(summary)).toBe('220,800 (2 to 214 in a run, 46 on average, 110,400/s)');
  expect(outcomesText(summary)).toBe(
    '900 different final states; another program would show 3.0 new ones, and there are at least 1,300 (Good-Turing, Chao); two fingerprints agree with probability 2e-14',
  );
  expect(tracesText(summary)).toBe(
    '200 happens-before traces in 336 runs of 7 of the 100 programs; another run would show a new one with probability 0.25, and there are at least 340',
  );
  expect(growthText(summary)).toBe(
    'executions 256 → 512 → 1,024 → 2,048 → 4,096 · outcomes 40 → 80 → 160 → 320 → 640 · traces 12 → 24 → 48 → 96 → 192',
  );
  expect(strategiesText(summary)).toBe('pct3 2,400 (75 % new traces) · random 2,400');
  expect(guaranteesText(summary)).toBe(
    'a bug of depth 3 is missed by all runs of PCT 3 of its program with probability at most 0.9970 (mean of the programs); in the largest, 3 agents and 100 steps, one run finds it with 1/30,000 at least',
  );
  expect(operationsText(summary)).toBe(
    '4,000; in brackets, how many did not apply: attach 75 % · exit 0.3 % · unmap 25 % (15 %)',
  );
});

test('a run that did nothing has nothing to say', () => {
  const nothing = emptySummary();
  expect(stepsText(nothing)).toBe('0');
  expect(outcomesText(nothing)).toBe('0 different final states');
  for (const text of [tracesText, growthText, strategiesText, guaranteesText, operationsText])
    expect(text(nothing)).toBe('');
});
