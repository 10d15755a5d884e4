import { fingerprint, type Failure } from '../engine/failure.ts';
import type { Found } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import type { Minimality } from '../properties/minimise/minimise.ts';
import { choicesOf } from './align.ts';
import { traceFormat, traceVersion, type SoftwareTrace } from './format.ts';
import { version } from './version.ts';

/** Where software failures are found. */
export const architectureTarget = 'architecture';

/** Makes a trace of a failure; of a minimised one, with what is known about its minimality. */
export function toTrace(family: Family, found: Found & { readonly minimal?: Minimality }): SoftwareTrace {
  const { configuration, program, schedule, hazard, failure, minimal } = found;
  const { seed, strategy, executions } = found.provenance;
  const world = family.world(configuration, hazard);
  return {
    format: traceFormat,
    version: traceVersion,
    kind: 'software',
    family: found.family,
    target: architectureTarget,
    ...(hazard === undefined ? {} : { hazard }),
    configuration: { ...configuration },
    program: {
      agents: program.agents.map(({ name, operations }) => ({ name, operations: operations.map((op) => ({ ...op })) })),
    },
    schedule: choicesOf(world.load(program), schedule),
    expected: expectation(failure),
    provenance: { tool: `stalemate ${version}`, seed, strategy, executions },
    ...(minimal === undefined ? {} : { minimal: { ...minimal } }),
  };
}

/** The inverse of `toTrace`: what the minimiser works on. The schedule is the re-aligned one. */
export function toFound(trace: SoftwareTrace, schedule: readonly number[]): Found {
  const { monitor, rule, message, data } = trace.expected;
  const { seed, strategy, executions } = trace.provenance;
  return {
    family: trace.family,
    ...(trace.hazard === undefined ? {} : { hazard: trace.hazard }),
    configuration: trace.configuration,
    program: trace.program,
    schedule,
    failure: { monitor, rule, message, ...(data === undefined ? {} : { data }) },
    provenance: { seed, strategy, executions, seconds: 0 },
  };
}

function expectation(failure: Failure): SoftwareTrace['expected'] {
  const { monitor, rule, message, data } = failure;
  return {
    fingerprint: fingerprint(failure),
    monitor,
    rule,
    message,
    ...(data === undefined ? {} : { data: { ...data } }),
  };
}
