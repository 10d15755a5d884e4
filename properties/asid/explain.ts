import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** What the architecture said about a violation at the moment it was noticed. */
export interface FailureSources {
  /** Held entries or configuration that make the outcome possible, in words. */
  readonly sources: readonly string[];
  /** ASIDs under which something is held. */
  readonly tags: readonly number[];
}

/** The *why* of a report: which promise, what contradicts it, what was missing. */
export function explain(_observation: Observation, failure: Failure, sources: FailureSources | undefined): readonly WhyLine[] {
  return [
    { head: 'Then', text: failure.message },
    ...(sources?.sources ?? []).map((text) => ({ head: 'However', text })),
  ];
}
