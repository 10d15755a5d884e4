import { AGENTS_MAX } from '../machine.ts';
import { Random } from '../random.ts';
import type { Strategy } from './strategy.ts';

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): random priorities, the
 * highest enabled agent runs, and at depth - 1 random steps the running agent's priority drops below all others. A bug of
 * depth d among n agents and k steps is hit with probability at least 1 / (n · k^(d-1)).
 *
 * Differs from the paper in that change points are drawn over the observed length of earlier runs, not a fixed bound.
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
    begin: (seed, agents, stepsExpected) => {
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
