import type { Failure } from '../../engine/failure.ts';
import { search } from '../../engine/search/search.ts';
import type { AllocatorModel } from './model.ts';
import type { Witness } from './witnesses.ts';

/** What was found, counted as TLC counts. */
export interface Exploration {
  /** `bound`: a limit on states was hit. */
  readonly verdict: 'holds' | 'broken' | 'bound';
  /** The initial state, and one for each step of each state, also of steps beyond the last generation. */
  readonly generated: number;
  /** Different states within the bound on generations. */
  readonly distinct: number;
  /** Number of levels of the graph, the initial state's included. */
  readonly depth: number;
  readonly witnesses: readonly Witness[];
  readonly failure?: Failure;
  /** Agent index of each step of a shortest counterexample. */
  readonly schedule?: readonly number[];
}

/** Explores a model to its end, or to a shortest counterexample. */
export function exploreAllocator(model: AllocatorModel, statesMax = 50_000_000): Exploration {
  const found = search(model.system, { order: 'bfs', statesMax, wanted: ({ monitor }) => monitor !== 'bound' });
  return {
    verdict: found.verdict === 'exhausted' ? 'holds' : found.verdict === 'violation' ? 'broken' : 'bound',
    generated: found.transitions + 1,
    distinct: found.states,
    depth: found.depth + 1,
    witnesses: model.witnesses(),
    ...(found.failure === undefined ? {} : { failure: found.failure }),
    ...(found.schedule === undefined ? {} : { schedule: found.schedule }),
  };
}
