import { describe, expect, test } from 'vitest';
import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { asidShare, SIZES } from './asid-share.ts';

/** Reachable states and transitions, on which SPIN, TLC, stateright and four other engines agree. */
const COUNTS = [
  { size: 'S', locked: true, states: 12_478, transitions: 37_083 },
  { size: 'S', locked: false, states: 21_206, transitions: 71_887 },
  { size: 'M', locked: true, states: 144_021, transitions: 448_078 },
  { size: 'M', locked: false, states: 288_816, transitions: 1_039_317 },
  { size: 'L', locked: true, states: 2_330_430, transitions: 9_306_265 },
] as const;

describe.each(COUNTS)('$size, locked: $locked', ({ size, locked, states, transitions }) => {
  test.each(['dfs', 'bfs'] as const)('%s reaches exactly the known states', (order) => {
    const result = search(asidShare({ ...SIZES[size], locked }), { order, reduction: 'none', countFailures: true });
    expect(result).toMatchObject({ verdict: 'exhausted', states, transitions });
    expect(result.failures > 0).toBe(!locked);
  });

  test('sleep sets: the same states by fewer steps', () => {
    const result = search(asidShare({ ...SIZES[size], locked }), { order: 'dfs', countFailures: true });
    expect(result).toMatchObject({ verdict: 'exhausted', states });
    expect(result.failures > 0).toBe(!locked);
    expect(result.transitions).toBeLessThan(transitions / 2);
  });
});

test.each([
  ['S', 15],
  ['M', 19],
  ['L', 15],
] as const)('%s: the shortest counterexample has %i steps', (size, length) => {
  const result = search(asidShare({ ...SIZES[size], locked: false }), { order: 'bfs' });
  expect(result.verdict).toBe('violation');
  expect(result.schedule).toHaveLength(length);
});

/** The exact probability that a uniform random walk hits the bug, computed over the state graph. */
test.each([
  ['S', 0.001264, 200_000],
  ['M', 0.007958, 60_000],
  ['L', 0.01413, 40_000],
] as const)('%s: a random walk hits the bug with probability %d', (size, probability, runs) => {
  const runner = new Runner(asidShare({ ...SIZES[size], locked: false }));
  const strategy = randomWalk();
  let hits = 0;
  for (let seed = 1; seed <= runs; seed++) if (runner.run(strategy, seed) === 'failed') hits++;
  const sigma = Math.sqrt((probability * (1 - probability)) / runs);
  expect(Math.abs(hits / runs - probability)).toBeLessThan(4 * sigma);
});

test('PCT hits the bug far more often than a random walk', () => {
  const runner = new Runner(asidShare({ ...SIZES.S, locked: false }));
  const strategy = pct(3);
  let hits = 0;
  for (let seed = 1; seed <= 20_000; seed++) if (runner.run(strategy, seed) === 'failed') hits++;
  expect(hits / 20_000).toBeGreaterThan(3 * 0.001264);
});

test('the locked version holds under both strategies', () => {
  const runner = new Runner(asidShare({ ...SIZES.S, locked: true }));
  for (const strategy of [randomWalk(), pct(2), pct(4)])
    for (let seed = 1; seed <= 3_000; seed++) expect(runner.run(strategy, seed)).toBe('finished');
});
