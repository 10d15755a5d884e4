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

/** A strategy, and if it is PCT, the depth of the bugs that it guarantees to find. */
export interface Entry {
  readonly strategy: Strategy;
  readonly pctDepth?: number;
}

/** The strategies of a name, to be used in turn. */
export function strategies(name: StrategyName): readonly Entry[] {
  return name === 'portfolio' ? [pctOf(2), of(randomWalk()), pctOf(3)] : [MAKE[name]()];
}

const MAKE: Readonly<Record<Exclude<StrategyName, 'portfolio'>, () => Entry>> = {
  random: () => of(randomWalk()),
  pct: () => pctOf(3),
  pos: () => of(pos()),
  urw: () => of(urw()),
  feedback: () => of(feedback(3)),
};

const of = (strategy: Strategy): Entry => ({ strategy });
const pctOf = (depth: number): Entry => ({ strategy: pct(depth), pctDepth: depth });
