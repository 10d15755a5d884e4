import { feedback } from '../../engine/strategies/feedback.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { pos } from '../../engine/strategies/pos.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import { urw } from '../../engine/strategies/urw.ts';

/** How to choose schedules: one strategy, or a portfolio of them in turn. */
export const STRATEGY_NAMES = ['random', 'pct', 'pos', 'urw', 'feedback', 'portfolio'] as const;

/** One of `STRATEGY_NAMES`. */
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** The strategies of a name, to be used in turn. */
export function strategies(name: StrategyName): readonly Strategy[] {
  if (name !== 'portfolio') return [MAKE[name]()];
  return [pct(2), randomWalk(), pct(3)];
}

const MAKE: Readonly<Record<Exclude<StrategyName, 'portfolio'>, () => Strategy>> = {
  random: () => randomWalk(),
  pct: () => pct(3),
  pos: () => pos(),
  urw: () => urw(),
  feedback: () => feedback(3),
};
