import { Random } from '../random.ts';
import { Priorities } from './priorities.ts';
import type { Strategy } from './strategy.ts';

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): random priorities, the
 * highest enabled agent runs, and at depth - 1 random steps the running agent's priority drops below all others. A bug of
 * depth d among n agents and k steps is hit with probability at least 1 / (n · k^(d-1)).
 *
 * Differs from the paper in that k is not a bound known beforehand but the length of the longest run of the program so
 * far, over which change points are drawn: what `pctBound` says of a run holds for schedules that are no longer.
 *
 * @param depth 1 … 8, number of ordering constraints aimed at.
 */
export function pct(depth = 3): Strategy {
  const random = new Random(0);
  const priorities = new Priorities(depth - 1);
  return {
    name: `pct${depth}`,
    begin: (seed, { nodes, stepsExpected }) => {
      random.seed(seed);
      priorities.draw(random, nodes.length, stepsExpected);
      priorities.begin();
    },
    pick: (enabled, count, step, previous) => priorities.pick(enabled, count, step, previous),
  };
}

/**
 * What one run under `pct(depth)` guarantees: a bug of that depth shows with at least this probability (the theorem of the
 * paper).
 *
 * @param agents n ≥ 1; @param steps k ≥ 1, the length over which the change points were drawn; the bug must show in a
 *   schedule no longer than that.
 */
export function pctBound(agents: number, steps: number, depth: number): number {
  return 1 / (agents * steps ** (depth - 1));
}

/** The probability, at most, that `runs` independent runs all miss what each shows with probability `bound` at least. */
export function missedByAll(bound: number, runs: number): number {
  return Math.exp(runs * Math.log1p(-bound));
}
