import { QemuGone, QemuMissing } from '../../impl/qemu/index.ts';
import type { EndToEndObserved } from '../../properties/end-to-end/index.ts';
import { fingerprint } from '../../engine/failure.ts';
import { replayEndToEnd, type EndToEndTarget } from '../../traces/end-to-end.ts';
import type { SoftwareTrace } from '../../traces/format.ts';
import { deviceName, endToEndEffort, endToEndReport } from '../../traces/report/end-to-end.ts';
import type { Context } from '../context.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';

/** Runs the program of a software trace on a device: does what the architecture permits happen there? */
export async function replayOnDevice(
  trace: SoftwareTrace,
  command: { readonly file: string; readonly target: EndToEndTarget },
  { terminal }: Context,
): Promise<ExitCode> {
  try {
    const { result, alignment } = await replayEndToEnd(trace, command.target);
    if (result.verdict === 'not-possible')
      throw new UsageError(`This trace cannot run on ${command.target}: it ${result.reason}.`);
    if (result.verdict !== 'holds') terminal.print(endToEndReport(result, terminal.colour));
    const { text, code } = verdict(trace, result);
    const { misfit } = alignment ?? {};
    const unfit =
      misfit === undefined
        ? ''
        : `\nThe schedule fits up to choice ${misfit.choice} of ${trace.schedule.length}; the program ran on by itself.`;
    terminal.print(text + unfit);
    const { steps, ...rest } = result;
    terminal.event({ event: 'replayed', ...command, ...rest, steps: steps.length, text });
    return code;
  } catch (error) {
    if (!(error instanceof QemuMissing || error instanceof QemuGone)) throw error;
    const advice =
      error instanceof QemuMissing ? ' "stalemate doctor" says what is missing and how to install it.' : '';
    terminal.warn(`stalemate: ${error.message}.${advice}`);
    return exitCode.harness;
  }
}

function verdict(trace: SoftwareTrace, result: EndToEndObserved): { text: string; code: ExitCode } {
  const { violation, failure, deviations } = result;
  const device = deviceName(result);
  const expected = trace.expected.fingerprint;
  if (violation !== undefined) {
    const shown = fingerprint(violation.failure);
    const as =
      shown === expected ? `Reproduced: ${expected}` : `Reproduced as ${shown} (on the architecture: ${expected})`;
    return {
      text: `✗ ${as}, by a DMA after step ${violation.step} on ${device}: ${violation.failure.message}`,
      code: exitCode.violation,
    };
  }
  if (result.verdict === 'deviation')
    return {
      text: `✗ ${device} does what the architecture does not permit: ${deviations[0]?.message ?? ''}`,
      code: exitCode.violation,
    };
  if (failure !== undefined)
    return {
      text: `✗ The software ended with ${fingerprint(failure)}, whatever device it runs on: ${failure.message}`,
      code: exitCode.violation,
    };
  return {
    text: `✓ Holds on ${device}: ${endToEndEffort(result)} all did what the software promises.${whatElse(result)}`,
    code: exitCode.holds,
  };
}

/** Why a failure that the architecture may show was not seen. */
function whatElse({ permitted }: EndToEndObserved): string {
  if (permitted === undefined) return ' Under this schedule no SMMU with its features can do otherwise.';
  const { step, failure } = permitted;
  return `\n  Another SMMU with its features may show ${fingerprint(failure)} after step ${step}; this one does not hold what that takes.`;
}
