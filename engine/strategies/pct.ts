import { AGENTS_MAX } from '../machine.ts';
import { Random } from '../random.ts';
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
  const priority = new Int32Array(AGENTS_MAX);
  const change = new Int32Array(Math.max(depth - 1, 1));
  const changes = depth - 1;
  return {
    name: `pct${depth}`,
    begin: (seed, { nodes: { length: agents }, stepsExpected }) => {
      random.seed(seed);
      for (let agent = 0; agent < agents; agent++) priority[agent] = changes + agent + 1;
      for (let agent = agents - 1; agent > 0; agent--) {
        const other = random.below(agent + 1);
        const swap = priority[agent] as number;
        priority[agent] = priority[other] as number;
        priority[other] = swap;
      }
      for (let at = 0; at < changes; at++) change[at] = 1 + random.below(Math.max(stepsExpected, 1));
    },
    pick: (enabled, count, step, previous) => {
      if (previous >= 0) for (let at = 0; at < changes; at++) if (change[at] === step) priority[previous] = at + 1;
      let best = enabled[0] as number;
      for (let at = 1; at < count; at++) {
        const agent = enabled[at] as number;
        if ((priority[agent] as number) > (priority[best] as number)) best = agent;
      }
      return best;
    },
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
