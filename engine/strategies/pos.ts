import type { Node } from '../automaton.ts';
import type { Footprint, Footprints } from '../footprint.ts';
import { AGENTS_MAX } from '../machine.ts';
import { Random } from '../random.ts';
import type { RunView, Strategy } from './strategy.ts';

/** Footprints remembered for one local state, the newest ones. */
const REMEMBERED_MAX = 8;

/**
 * Partial order sampling (Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV 2018): each pending event has a
 * random priority, the highest enabled one runs, and the events that race with it draw new priorities. Since events that
 * commute keep theirs, choices are not wasted on orders that make no difference, and rare partial orders come up more often
 * than under a random walk.
 *
 * Differs from the paper in how races are known before an event has run: a pending event is expected to touch what the same
 * local state has touched before, in this run and earlier ones of the program. An event that was never run counts as racing
 * with everything: so what nothing is known of is scheduled as by a random walk.
 */
export function pos(): Strategy {
  const random = new Random(0);
  const priority = new Float64Array(AGENTS_MAX);
  let history: Footprint[][] = [];
  let view: RunView | undefined;
  return {
    name: 'pos',
    begin: (seed, now) => {
      random.seed(seed);
      if (now !== view) history = [];
      view = now;
      for (let agent = 0; agent < now.nodes.length; agent++) priority[agent] = random.next();
    },
    pick: (enabled, count) => {
      let best = enabled[0] as number;
      for (let at = 1; at < count; at++) {
        const agent = enabled[at] as number;
        if ((priority[agent] as number) > (priority[best] as number)) best = agent;
      }
      return best;
    },
    ran: ({ agent, id }, footprint) => {
      const { nodes, footprints } = view as RunView;
      remember((history[id] ??= []), footprint);
      priority[agent] = random.next();
      for (let other = 0; other < nodes.length; other++)
        if (other !== agent && races(footprints as Footprints, history[(nodes[other] as Node).id], footprint))
          priority[other] = random.next();
    },
  };
}

function remember(known: Footprint[], footprint: Footprint): void {
  if (known.includes(footprint)) return;
  if (known.length === REMEMBERED_MAX) known.shift();
  known.push(footprint);
}

function races(table: Footprints, expected: readonly Footprint[] | undefined, footprint: Footprint): boolean {
  if (expected === undefined) return true;
  for (let at = 0; at < expected.length; at++) if (table.dependent(expected[at] as Footprint, footprint)) return true;
  return false;
}
