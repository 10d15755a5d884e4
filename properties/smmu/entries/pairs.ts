import { search } from '../../../engine/search/search.ts';
import type { Failure } from '../../../engine/failure.ts';
import type { KernelParts } from '../../../impl/kernel/index.ts';
import { contentsOf, type Subject } from './configuration.ts';
import { EntriesWorld } from './world.ts';

/** One update, exhausted. */
export interface PairResult {
  readonly from: string;
  readonly to: string;
  readonly states: number;
  readonly exhausted: boolean;
  readonly failure: Failure | undefined;
}

/**
 * Every update between two contents of a subject, each exhausted: every mix of words since the last completed
 * invalidation, in whatever order the stores of the CPU arrive, after every step.
 *
 * @param weak stores that the CPU may have pending.
 */
export function* allPairs(subject: Subject, parts: Partial<KernelParts> = {}, weak = 0): Generator<PairResult> {
  const contents = contentsOf(subject);
  for (const [initial, { name: from }] of contents.entries()) {
    const world = new EntriesWorld({ subject, initial, weak }, parts);
    for (const [to, { name }] of contents.entries()) {
      const program = { agents: [{ name: 'CPU0', operations: [{ op: 'update', to }] }] };
      const { verdict, states, failure } = search(world.load(program), { order: 'dfs' });
      yield { from, to: name, states, exhausted: verdict === 'exhausted', failure };
    }
  }
}
