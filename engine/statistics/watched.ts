import type { HappensBefore } from '../happens-before.ts';
import type { Strategy } from '../strategies/strategy.ts';

/** A strategy that chooses as another one does, while `trace` takes in the happens-before relation of each run. */
export function watched(strategy: Strategy, trace: HappensBefore): Strategy {
  return {
    name: strategy.name,
    begin: (seed, view) => {
      trace.begin();
      strategy.begin(seed, view);
    },
    pick: (enabled, count, step, previous) => strategy.pick(enabled, count, step, previous),
    ran: (node, footprint) => {
      trace.step(node, footprint);
      strategy.ran?.(node, footprint);
    },
    ended: (end) => strategy.ended?.(end),
  };
}
