import { Random } from '../random.ts';
import type { Strategy } from './strategy.ts';

/** Each step picks uniformly among the enabled agents. */
export function randomWalk(): Strategy {
  const random = new Random(0);
  return {
    name: 'random',
    begin: (seed) => random.seed(seed),
    pick: (enabled, count) => enabled[count === 1 ? 0 : random.below(count)] as number,
  };
}
