import type { Bug } from '../engine/bug/bug.ts';
import { fingerprint, type Failure } from '../engine/failure.ts';
import type { Found } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import { bugOfRun } from '../properties/bug-of-run.ts';
import type { Minimised } from '../properties/minimise/minimise.ts';
import { choicesOf } from './align.ts';
import { traceFormat, traceVersion, type SoftwareTrace } from './format.ts';
import { replaySoftware } from './replay.ts';
import { whyLines } from './report/why.ts';
import { version } from './version.ts';

/** Where software failures are found. */
export const architectureTarget = 'architecture';

/** What is known of a failure when it has been minimised. */
type Known = Partial<Pick<Minimised, 'minimal' | 'necessary' | 'bug'>>;

/** Makes a trace of a failure; of a minimised one, with what is known about its minimality. */
export function toTrace(family: Family, found: Found & Known): SoftwareTrace {
  const { configuration, program, schedule, hazard, failure, minimal, necessary } = found;
  const { seed, strategy, executions } = found.provenance;
  const world = family.world(configuration, hazard);
  const trace = {
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
    expected: { ...expectation(failure), bug: plainBug(found.bug ?? bugOfRun(world, program, schedule)) },
    provenance: { tool: `stalemate ${version}`, seed, strategy, executions },
    ...(minimal === undefined ? {} : { minimal: { ...minimal } }),
    ...(necessary === undefined ? {} : { necessary: necessary.map((needed) => ({ ...needed })) }),
  } as const satisfies SoftwareTrace;
  const replayed = replaySoftware(trace, family);
  const why = replayed.failure === undefined ? [] : whyLines(replayed, replayed.failure);
  return { ...trace, why: why.map((line) => ({ ...line })) };
}

/** A bug with lists of its own. */
function plainBug({ path, races, ...rest }: Bug): NonNullable<SoftwareTrace['expected']['bug']> {
  return { ...rest, ...(path === undefined ? {} : { path: [...path] }), races: [...races] };
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

function expectation(failure: Failure) {
  const { monitor, rule, message, data } = failure;
  return {
    fingerprint: fingerprint(failure),
    monitor,
    rule,
    message,
    ...(data === undefined ? {} : { data: { ...data } }),
  };
}
