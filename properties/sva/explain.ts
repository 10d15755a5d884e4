import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { explain as explainDevices, type FailureSources } from '../asid/explain.ts';
import type { WhyLine } from '../family.ts';

export type { FailureSources } from '../asid/explain.ts';

/** The *why* of a report. */
export function explain(
  observation: Observation,
  failure: Failure,
  sources: FailureSources | undefined,
): readonly WhyLine[] {
  return explainDevices(observation, failure, sources);
}
