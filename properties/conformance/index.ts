/** The device check: generated programs run on a device, every answer compared with what the architecture permits. */
import { ArchitectureDevice } from './architecture-device.ts';
import { BuiltinDevice } from './builtin-device.ts';
import { sameDifference } from './deviation.ts';
import type { Deviation } from './deviation.ts';
import type { ConformanceFinding, ConformanceTarget } from './finding.ts';
import type { DeviceSource } from './bench.ts';
import { fuzzDevice } from './fuzz.ts';
import type { ConformanceSummary, FuzzOptions } from './fuzz.ts';
import { QemuDevice } from './qemu-device.ts';
import { runProgram } from './runner.ts';

export type { ConformanceConfiguration } from './configuration.ts';
export type { ConformanceDevice } from './device.ts';
export type { Deviation } from './deviation.ts';
export type { ConformanceFinding, ConformanceTarget } from './finding.ts';
export { fuzzDevice } from './fuzz.ts';
export type { DeviceSource } from './bench.ts';
export type { ConformanceSummary, FuzzOptions } from './fuzz.ts';
export type { Operation } from './operation.ts';
export type { ConformanceProgram } from './program.ts';
export { renderConfiguration, renderOperation } from './render.ts';
export { ruleOf, rules } from './rules.ts';
export type { Rule, RuleId } from './rules.ts';
export type { ConformanceStatistics } from './statistics.ts';
export { guestWitnessNames } from './witnesses-guest.ts';
export { witnessNames } from './witnesses.ts';
export type { Witness } from './witnesses.ts';

const sources: Readonly<Record<ConformanceTarget, DeviceSource>> = {
  architecture: { target: 'architecture', start: () => Promise.resolve(new ArchitectureDevice(1)) },
  builtin: { target: 'builtin', start: () => Promise.resolve(new BuiltinDevice()) },
  'qemu-smmuv3': { target: 'qemu-smmuv3', start: () => QemuDevice.start() },
};

/** A device to hold the target against: another target, or a second QEMU by its name or path. */
export type Against = ConformanceTarget | { readonly binary: string };

const sourceAgainst = (against: Against): DeviceSource =>
  typeof against === 'string'
    ? sources[against]
    : { target: 'qemu-smmuv3', start: () => QemuDevice.start(against.binary) };

/**
 * Searches a target for deviations; with `against`, for those that only one of the two devices has (or has in another
 * way), whichever of them it is.
 *
 * @throws QemuMissing if the target is QEMU and there is none. Crashes and hangs of the device do not throw: they are
 *   findings, and the search goes on with a new process.
 */
export const fuzzConformance = (options: FuzzOptions, against?: Against): Promise<ConformanceSummary> =>
  fuzzDevice(sources[options.target], options, against === undefined ? undefined : sourceAgainst(against));

/** What a replay showed. */
export interface ConformanceReplay {
  /** The deviation of the replayed program, if it has one. */
  readonly deviation: Deviation | undefined;
  /** Whether it is the deviation of the finding. */
  readonly reproduced: boolean;
  /** What the target says it is. */
  readonly version: string;
}

/**
 * Runs the program of a finding once more, from a reset of the whole device.
 *
 * @param source another device than the target is.
 * @throws QemuMissing as `fuzzConformance` does.
 */
export const replayConformance = async (
  finding: Pick<ConformanceFinding, 'program' | 'deviation'>,
  target: ConformanceTarget,
  source: DeviceSource = sources[target],
): Promise<ConformanceReplay> => {
  const device = await source.start();
  try {
    const { deviations } = await runProgram(finding.program, device, { thorough: true });
    const same = deviations.find((deviation) => sameDifference(deviation, finding.deviation));
    return { deviation: same ?? deviations[0], reproduced: same !== undefined, version: device.version };
  } finally {
    await device.stop();
  }
};
