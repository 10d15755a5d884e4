import type { Failure } from '../engine/failure.ts';
import type { Observation } from '../engine/observe.ts';
import type { WhyLine } from './family.ts';

/** What a family can say of its failures. */
export interface Explanation {
  /** By rule: what is promised, and where that is written. */
  readonly promises: Readonly<Record<string, string>>;
  /** How the labels of the steps begin that decide. */
  readonly decisive: readonly string[];
}

/** Steps that a report names at most. */
const LINES_MAX = 5;

/** The *why* of a report: the promise, what broke it, and the last step of each kind that decides, in their order. */
export function explainBySteps(
  { promises, decisive }: Explanation,
  { steps }: Observation,
  failure: Failure,
): readonly WhyLine[] {
  const promise = promises[failure.rule];
  const because = decisive
    .map((starts) => steps.findLastIndex(({ label }) => label.startsWith(starts)))
    .filter((at) => at >= 0)
    .toSorted((a, b) => a - b)
    .slice(-LINES_MAX)
    .map((at): WhyLine => {
      const { agentName = '', label = '' } = steps[at] ?? {};
      return { head: 'Because', text: `step ${at + 1}: ${agentName}, ${label}.` };
    });
  return [
    ...(promise === undefined ? [] : [{ head: 'Then', text: promise }]),
    { head: 'However', text: failure.message },
    ...because,
  ];
}
