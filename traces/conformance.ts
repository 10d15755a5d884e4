/** Traces of device deviations: from a finding and back, and replay. */
import {
  replayConformance,
  ruleOf,
  rules,
  type ConformanceFinding,
  type ConformanceReplay,
  type ConformanceTarget,
  type Rule,
} from '../properties/conformance/index.ts';
import { sourceOf, type DeviceHazard } from '../properties/conformance/hazards/index.ts';
import { TraceError } from './error.ts';
import { traceFormat, traceVersion, type ConformanceTrace } from './format.ts';
import { version } from './version.ts';

/** Name of the check that finds deviations of devices. */
export const conformanceFamily = 'conformance';
/** Devices that it can be run on. */
export const conformanceTargets: readonly ConformanceTarget[] = ['architecture', 'builtin', 'qemu-smmuv3'];
/** Stands for the rule of a deviation that no rule was found for. */
const unclassified = 'unclassified';

type Plain = ConformanceTrace['program'];

/** Makes a trace of a finding. @param hazard the mistake that was built into the device. */
export function findingToTrace(finding: ConformanceFinding, hazard?: string): ConformanceTrace {
  const { fingerprint, target, rule, program, deviation, operationsFrom, minimal, seed, programSeed } = finding;
  // Operations are plain data by their own definition; the round trip drops what JSON cannot hold, which is nothing.
  const plain = JSON.parse(JSON.stringify({ program, deviation })) as {
    program: Plain;
    deviation: ConformanceTrace['deviation'];
  };
  return {
    format: traceFormat,
    version: traceVersion,
    kind: 'conformance',
    family: conformanceFamily,
    target,
    ...(hazard === undefined ? {} : { hazard }),
    targetVersion: finding.version,
    program: { configuration: plain.program.configuration, operations: plain.program.operations },
    deviation: plain.deviation,
    expected: {
      fingerprint,
      monitor: conformanceFamily,
      rule: rule?.id ?? unclassified,
      message: rule?.statement ?? `The answer (${deviation.answer}) is not permitted, and no rule names this case yet.`,
    },
    provenance: { tool: `stalemate ${version}`, seed, programSeed },
    minimal: { operations: minimal ? 'proved' : 'not-proved', operationsFrom },
  };
}

/** The rule that a trace says is broken, if it names one that there is. */
export function ruleOfTrace(trace: ConformanceTrace): Rule | undefined {
  const known = rules.find(({ id }) => id === trace.expected.rule);
  return known === undefined ? undefined : ruleOf(known.id);
}

/** The parts of a trace that the conformance check works with. */
export function findingParts(trace: ConformanceTrace): Pick<ConformanceFinding, 'program' | 'deviation'> {
  return { program: trace.program, deviation: trace.deviation } as unknown as Pick<
    ConformanceFinding,
    'program' | 'deviation'
  >;
}

/** A target by name. @throws TraceError naming the targets that there are. */
export function targetOf(name: string): ConformanceTarget {
  const target = conformanceTargets.find((candidate) => candidate === name);
  if (target !== undefined) return target;
  throw new TraceError(
    'unknown-target',
    `There is no target "${name}" for devices; possible: ${conformanceTargets.join(', ')}.`,
  );
}

/**
 * Runs the program of a trace again.
 *
 * @param hazard a mistake to be built into the target, which is then our device.
 * @throws TraceError if the program cannot be run at all, as after an edit by hand.
 */
export async function replayDeviation(
  trace: ConformanceTrace,
  target: ConformanceTarget,
  hazard?: DeviceHazard,
): Promise<ConformanceReplay> {
  try {
    return await replayConformance(findingParts(trace), target, hazard && sourceOf(hazard));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new TraceError('wrong-world', `the trace's program cannot be run (${error.message}): was it edited?`);
  }
}
