/** Replay of software traces on a device. */
import type { System } from '../engine/system.ts';
import {
  endToEndFamilies,
  replayOnTarget,
  type EndToEndResult,
  type EndToEndTarget,
} from '../properties/end-to-end/index.ts';
import { align, type Alignment } from './align.ts';
import type { SoftwareTrace } from './format.ts';
import { orTraceError } from './replay.ts';

export { endToEndTargets, type EndToEndTarget } from '../properties/end-to-end/index.ts';

/** What came of a replay on a device. */
export interface EndToEndReplay {
  readonly result: EndToEndResult;
  /** How the stored schedule fits the software as it is built for the device; undefined if it was not run. */
  readonly alignment: Alignment | undefined;
}

/**
 * Replays a failure of software on our own device or on a live QEMU.
 *
 * @throws TraceError if the trace's world cannot be built, QemuMissing and QemuGone as `replayOnTarget`.
 */
export async function replayEndToEnd(trace: SoftwareTrace, target: EndToEndTarget): Promise<EndToEndReplay> {
  const { configuration, hazard, program } = trace;
  const family = endToEndFamilies.find(({ family: { name } }) => name === trace.family);
  if (family === undefined) {
    const names = endToEndFamilies.map(({ family: { name } }) => name).join(' and ');
    const reason = `is of the family ${trace.family}; only software of the families ${names} runs on a device`;
    return { result: { verdict: 'not-possible', reason }, alignment: undefined };
  }
  let alignment: Alignment | undefined;
  const schedule = (system: System): readonly number[] => (alignment = align(system, trace.schedule)).schedule;
  const run = { configuration, hazard, program, schedule };
  const result = await replayOnTarget(target, family, run).catch((error: unknown) =>
    orTraceError("the trace's program cannot be run", (): never => {
      throw error;
    }),
  );
  return { result, alignment };
}
