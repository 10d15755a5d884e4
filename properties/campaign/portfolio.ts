import { pct } from '../../engine/strategies/pct.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';

/** How to choose schedules: one strategy, or all of them in turn. */
export type StrategyName = 'random' | 'pct' | 'portfolio';

/** The strategies of a name, to be used in turn. */
export function strategies(name: StrategyName): readonly Strategy[] {
  if (name === 'random') return [randomWalk()];
  if (name === 'pct') return [pct(3)];
  return [pct(2), randomWalk(), pct(3)];
}
