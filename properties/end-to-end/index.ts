/** Kernel software on real devices: the end-to-end check. */
import { asidEndToEnd } from '../asid/end-to-end.ts';
import type { Configuration } from '../family.ts';
import { smmuEndToEnd } from '../smmu/end-to-end.ts';
import { BuiltinHardware } from './builtin-hardware.ts';
import type { EndToEndFamily } from './family.ts';
import type { Hardware } from './hardware.ts';
import { QemuHardware } from './qemu-hardware.ts';
import type { EndToEndResult } from './result.ts';
import { replayOn, type EndToEndRun } from './run.ts';

export type { EndToEndFamily } from './family.ts';
export { reachedText } from './outcome.ts';
export type * from './result.ts';
export { EndToEnd, replayOn, type EndToEndRun, type EndToEndSchedule } from './run.ts';

/** Families whose programs run on devices. */
export const endToEndFamilies: readonly EndToEndFamily[] = [asidEndToEnd, smmuEndToEnd];
/** Devices that they run on: our own, and QEMU's. */
export const endToEndTargets = ['builtin', 'qemu-smmuv3'] as const;
/** One of them. */
export type EndToEndTarget = (typeof endToEndTargets)[number];

/**
 * Starts a device for the software of a family.
 *
 * @throws QemuMissing if it is QEMU and there is none; RangeError for a configuration that there is not.
 */
export async function startHardware(
  target: EndToEndTarget,
  family: EndToEndFamily,
  configuration: Configuration,
): Promise<Hardware> {
  if (target === 'builtin') return new BuiltinHardware(family.features(configuration));
  return QemuHardware.start(family.layout(configuration));
}

/**
 * Replays a schedule on a device that is started for it; see `replayOn`.
 *
 * @throws QemuMissing, QemuGone; RangeError for a hazard, a configuration or an operation that there is not.
 */
export async function replayOnTarget(
  target: EndToEndTarget,
  family: EndToEndFamily,
  run: EndToEndRun,
): Promise<EndToEndResult> {
  const hardware = await startHardware(target, family, run.configuration);
  try {
    return await replayOn(family, run, hardware);
  } finally {
    await hardware.stop();
  }
}
