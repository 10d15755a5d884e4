import { fingerprint, type Failure } from '../engine/failure.ts';
import { observe, type Observation, type ObservedStep } from '../engine/observe.ts';
import { search, type SearchResult } from '../engine/search/search.ts';
import type { System } from '../engine/system.ts';
import type { Family, World } from '../properties/family.ts';
import { align, type Alignment } from './align.ts';
import { TraceError } from './error.ts';
import type { SoftwareTrace } from './format.ts';
import { reason } from './load.ts';

/** What a replay showed. */
export interface Replayed {
  /**
   * `reproduced`: the expected failure. `different`: another failure. `holds`: the schedule ran to its end without one.
   * `misfit`: the software has changed so much that the schedule does not fit, and nothing failed up to there.
   */
  readonly verdict: 'reproduced' | 'different' | 'holds' | 'misfit';
  readonly failure: Failure | undefined;
  readonly observation: Observation;
  readonly alignment: Alignment;
  /** The world's notable state before the first step. */
  readonly initial: readonly string[];
  readonly system: System;
  readonly world: World;
}

/** Replays a failure of software on the architecture. @throws TraceError if the trace's world cannot be built. */
export function replaySoftware(
  trace: SoftwareTrace,
  family: Family,
  onStep: (step: ObservedStep, world: World) => void = () => undefined,
): Replayed {
  const world = buildWorld(trace, family, trace.hazard);
  const { system, initial, alignment } = orTraceError("the trace's program cannot be run", () => {
    const loaded = world.load(trace.program);
    return { system: loaded, initial: [...world.snapshot()], alignment: align(loaded, trace.schedule) };
  });
  const observation = observe(
    system,
    alignment.schedule,
    () => world.snapshot(),
    (step) => onStep(step, world),
  );
  const { failure } = observation;
  return { verdict: verdictOf(trace, alignment, failure), failure, observation, alignment, initial, system, world };
}

/**
 * Explores the trace's program exhaustively on the correct implementation: what the hazard is to blame for must not
 * happen there under any schedule.
 */
export function searchWithoutHazard(trace: SoftwareTrace, family: Family, statesMax: number): SearchResult {
  const world = buildWorld(trace, family, undefined);
  return search(world.load(trace.program), { order: 'dfs', statesMax });
}

/** The family of a trace. @throws TraceError naming the families that there are. */
export function familyOf(trace: SoftwareTrace, families: readonly Family[]): Family {
  const family = families.find(({ name }) => name === trace.family);
  if (family !== undefined) return family;
  throw new TraceError(
    'unknown-family',
    `the trace belongs to the family "${trace.family}", which this version does not have; it has: ${names(families.map(({ name }) => name))}.`,
  );
}

function buildWorld(trace: SoftwareTrace, family: Family, hazard: string | undefined): World {
  if (hazard !== undefined && !family.hazards.some(({ id }) => id === hazard))
    throw new TraceError(
      'unknown-hazard',
      `the trace needs the hazard "${hazard}", which the family ${family.name} does not have; it has: ${names(family.hazards.map(({ id }) => id))}.`,
    );
  return orTraceError("the trace's configuration cannot be built", () => family.world(trace.configuration, hazard));
}

/** A world refuses what it cannot build or run by a RangeError; for a trace that is bad input, not a broken harness. */
export function orTraceError<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RangeError) || error.message.includes('call stack')) throw error;
    throw new TraceError('wrong-world', `${what}: ${reason(error)}.`);
  }
}

function verdictOf(trace: SoftwareTrace, alignment: Alignment, failure: Failure | undefined): Replayed['verdict'] {
  if (failure !== undefined) return fingerprint(failure) === trace.expected.fingerprint ? 'reproduced' : 'different';
  return alignment.misfit === undefined ? 'holds' : 'misfit';
}

function names(list: readonly string[]): string {
  return list.length === 0 ? 'none' : list.join(', ');
}
