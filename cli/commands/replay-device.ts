import { QemuMissing } from '../../impl/qemu/index.ts';
import { replayDeviation, targetOf } from '../../traces/conformance.ts';
import type { ConformanceTrace } from '../../traces/format.ts';
import { conformanceReport } from '../../traces/report/conformance.ts';
import type { DeviceHazard } from '../../properties/conformance/hazards/index.ts';
import { deviceHazard, type Context } from '../context.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import type { ReplayCommand } from './replay.ts';

/** Runs the program of a device trace again, on the device that it names or on another. */
export async function replayDevice(
  trace: ConformanceTrace,
  command: ReplayCommand,
  { terminal }: Context,
): Promise<ExitCode> {
  const target = targetOf(command.target ?? trace.target);
  const hazard = hazardOf(trace, command, target);
  const { expected } = trace;
  try {
    const { deviation, reproduced, version } = await replayDeviation(trace, target, hazard);
    if (deviation !== undefined)
      terminal.print(conformanceReport({ trace, deviation, file: command.file, colour: terminal.colour }));
    const newer = version === trace.targetVersion ? '' : ` (found on ${trace.targetVersion})`;
    const text =
      deviation === undefined
        ? `✓ No deviation: ${version} answers every operation as it may${newer}.`
        : reproduced
          ? `✗ Reproduced: ${expected.fingerprint} on ${version}${newer}.`
          : `✗ Another deviation than the expected ${expected.fingerprint}: ${deviation.answer}`;
    terminal.print(text);
    terminal.event({ event: 'replayed', file: command.file, target, version, reproduced, deviation });
    return deviation === undefined ? exitCode.holds : exitCode.violation;
  } catch (error) {
    if (!(error instanceof QemuMissing)) throw error;
    terminal.warn(`stalemate: ${error.message}. "stalemate doctor" says what is missing and how to install it.`);
    return exitCode.harness;
  }
}

/** The mistake to build in: the one of the command line, or of the trace. It is one of our device: another one is as it is. */
function hazardOf(trace: ConformanceTrace, command: ReplayCommand, target: string): DeviceHazard | undefined {
  const name = command.hazard ?? (command.target === undefined ? trace.hazard : undefined);
  if (name === undefined || name === 'none') return undefined;
  if (target !== 'builtin') throw new UsageError(`A mistake can be built into the target builtin, not into ${target}.`);
  return deviceHazard(name);
}
