/** Replay of software traces on a live device. */
import type { System } from '../engine/system.ts';
import { replayOnQemu, type EndToEndResult } from '../properties/asid/end-to-end.ts';
import { align, type Alignment } from './align.ts';
import type { SoftwareTrace } from './format.ts';
import { orTraceError } from './replay.ts';

/** Devices on which software can be run end to end. */
export const endToEndTargets: readonly string[] = ['qemu-smmuv3'];
/** The family whose software knows how to drive them. */
const endToEndFamily = 'asid';

/** What came of a replay on a device. */
export interface EndToEndReplay {
  readonly result: EndToEndResult;
  /** How the stored schedule fits the software as it is built for the device; undefined if it was not run. */
  readonly alignment: Alignment | undefined;
}

/**
 * Replays a failure of software on a live QEMU.
 *
 * @throws TraceError if the trace's world cannot be built, QemuMissing and QemuGone as `replayOnQemu`.
 */
export async function replayEndToEnd(trace: SoftwareTrace): Promise<EndToEndReplay> {
  const { configuration, family, hazard, program } = trace;
  if (family !== endToEndFamily) {
    const reason = `is of the family ${family}; only software of the family ${endToEndFamily} runs on a device`;
    return { result: { verdict: 'not-possible', reason }, alignment: undefined };
  }
  let alignment: Alignment | undefined;
  const schedule = (system: System): readonly number[] => (alignment = align(system, trace.schedule)).schedule;
  const result = await replayOnQemu({ configuration, hazard, program, schedule }).catch((error: unknown) =>
    orTraceError("the trace's program cannot be run", (): never => {
      throw error;
    }),
  );
  return { result, alignment };
}
