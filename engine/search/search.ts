import type { System } from '../system.ts';
import { breadthFirst } from './bfs.ts';
import { depthFirst } from './dfs.ts';
import type { SearchOptions, SearchResult } from './options.ts';

export type { SearchOptions, SearchResult } from './options.ts';

/** Explores all interleavings of a system. The store is as before when it returns. */
export function search(system: System, options: SearchOptions): SearchResult {
  system.machine.agents = system.agents;
  system.machine.failure = undefined;
  return options.order === 'bfs' ? breadthFirst(system, options) : depthFirst(system, options);
}

/**
 * A counterexample with the fewest context switches, and among those the fewest steps, up to `switchesMax` switches:
 * breadth first under a growing bound. The last result says what was exhausted.
 */
export function fewestSwitches(
  system: System,
  options: Omit<SearchOptions, 'order'> & { readonly switchesMax: number },
): SearchResult & { readonly switches: number } {
  let result: SearchResult | undefined;
  let switches = 0;
  for (; switches <= options.switchesMax; switches++) {
    result = search(system, { ...options, order: 'bfs', switchesMax: switches });
    if (result.verdict !== 'exhausted') break;
  }
  if (result === undefined) throw new RangeError('switchesMax must be 0 or more');
  return { ...result, switches: Math.min(switches, options.switchesMax) };
}
