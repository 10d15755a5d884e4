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

/**
 * The portfolio, and how many of six runs each gets. Measured on the ten hazards of the family `asid` that take longest to
 * find, five of them with store buffers, by how many of 320 and 200 random programs showed the mistake within 24 runs, in
 * all: PCT of depth 5 86, depth 3 81, depth 2 71, partial order sampling 75, the uniform random walk 66, the random walk 51;
 * these together 81. (Depth 8 is about as good as 5.) Nobody is best at each hazard, and whatever the shares, together they
 * come within a twentieth of the best alone; so it is the mixture that stays near the best at each. Depth 3 is there for
 * what it guarantees, too. Partial order sampling is left out because tracing costs more than it adds.
 */
const PORTFOLIO: readonly (readonly [share: number, make: () => Entry])[] = [
  [3, () => pctOf(5)],
  [1, () => pctOf(3)],
  [1, () => of(randomWalk())],
  [1, () => of(urw())],
];

/** The strategies of a name, to be used in turn. */
export function strategies(name: StrategyName): readonly Entry[] {
  return name === 'portfolio' ? inTurn(PORTFOLIO.map(([share, make]) => [share, make()])) : [MAKE[name]()];
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

/** Each as often as its share says, spread evenly: at each turn, the one that is furthest behind. */
function inTurn(shares: readonly (readonly [share: number, entry: Entry])[]): Entry[] {
  const total = shares.reduce((sum, [share]) => sum + share, 0);
  const given = shares.map(() => 0);
  return Array.from({ length: total }, (_, turn) => {
    const behind = shares.map(([share], at) => (share * (turn + 1)) / total - (given[at] as number));
    const at = behind.indexOf(Math.max(...behind));
    given[at] = (given[at] as number) + 1;
    return (shares[at] as readonly [number, Entry])[1];
  });
}
