import type { Family } from '../../properties/family.ts';
import { endToEndTargets, type EndToEndTarget } from '../../traces/end-to-end.ts';
import type { SoftwareTrace } from '../../traces/format.ts';
import { loadTrace } from '../../traces/load.ts';
import { architectureTarget } from '../../traces/record.ts';
import { familyOf, replaySoftware, searchWithoutHazard, type Replayed } from '../../traces/replay.ts';
import { softwareReport } from '../../traces/report/software.ts';
import { plural } from '../../traces/report/text.ts';
import { checkHazard, unknown, type Context } from '../context.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import { stepThrough } from '../stepping.ts';
import { replayDevice } from './replay-device.ts';
import { replayOnDevice } from './replay-end-to-end.ts';

/** Options of `stalemate replay`. */
export interface ReplayCommand {
  readonly file: string;
  readonly target: string | undefined;
  /** Another hazard than the trace's; `none`: the correct implementation, explored exhaustively. */
  readonly hazard: string | undefined;
  readonly step: boolean;
}

/** States after which the exploration without the hazard gives up. */
const statesMax = 5_000_000;

/** Runs a trace again. */
export async function replayCommand(command: ReplayCommand, context: Context): Promise<ExitCode> {
  const trace = loadTrace(command.file);
  if (trace.kind === 'conformance') return replayDevice(trace, command, context);
  const target = targetNamed(command.target ?? architectureTarget);
  const family = familyOf(trace, context.families);
  if (target !== architectureTarget && command.step)
    throw new UsageError(`--step walks through a trace on the ${architectureTarget}; leave out --target.`);
  if (target !== architectureTarget)
    return replayOnDevice(withHazard(trace, command, family), { ...command, target }, context);
  if (command.hazard === 'none') return withoutHazard(trace, context);
  const changed = withHazard(trace, command, family);
  if (command.step) await stepThrough(changed, family, context.terminal);
  const replayed = replaySoftware(changed, family);
  const { terminal } = context;
  if (!command.step && replayed.failure !== undefined)
    terminal.print(softwareReport({ trace: changed, family, replayed, file: command.file, colour: terminal.colour }));
  const { text, code } = verdict(trace, replayed);
  terminal.print(text);
  terminal.event({ event: 'replayed', file: command.file, verdict: replayed.verdict, failure: replayed.failure, text });
  return code;
}

function targetNamed(name: string): EndToEndTarget | typeof architectureTarget {
  const targets = [architectureTarget, ...endToEndTargets] as const;
  const target = targets.find((candidate) => candidate === name);
  if (target === undefined) throw unknown('target for software', name, targets);
  return target;
}

/** The trace with the hazard that the command line asks for. */
function withHazard(trace: SoftwareTrace, { hazard }: ReplayCommand, family: Family): SoftwareTrace {
  if (hazard === undefined) return trace;
  if (hazard === 'none') {
    const { hazard: _, ...correct } = trace;
    return correct;
  }
  checkHazard(family, hazard);
  return { ...trace, hazard };
}

function verdict(
  trace: SoftwareTrace,
  { verdict: kind, failure, alignment, observation }: Replayed,
): { text: string; code: ExitCode } {
  const { fingerprint } = trace.expected;
  const { misfit, schedule } = alignment;
  if (kind === 'reproduced') return { text: `✗ Reproduced: ${fingerprint}.`, code: exitCode.violation };
  if (kind === 'different')
    return {
      text: `✗ Another failure than the expected ${fingerprint}: ${failure?.message ?? ''}`,
      code: exitCode.violation,
    };
  if (kind === 'holds')
    return {
      text: `✓ Holds: ${plural(observation.steps.length, 'step')}, and ${fingerprint} did not come back.`,
      code: exitCode.holds,
    };
  const where = misfit === undefined ? '' : `choice ${misfit.choice + 1} of ${trace.schedule.length}: ${misfit.why}`;
  return {
    text:
      `The schedule no longer fits the software, at ${where}\n` +
      `Up to there (${plural(schedule.length, 'step')}) nothing failed. Find the failure again: stalemate fuzz ${trace.family}` +
      `${trace.hazard === undefined ? '' : ` --hazard ${trace.hazard}`} --seed ${trace.provenance.seed}`,
    code: exitCode.harness,
  };
}

function withoutHazard(trace: SoftwareTrace, { families, terminal }: Context): ExitCode {
  const result = searchWithoutHazard(trace, familyOf(trace, families), statesMax);
  const looked = `${plural(result.states, 'state')}, ${plural(result.transitions, 'transition')}`;
  terminal.event({ event: 'explored', hazard: 'none', ...result });
  if (result.verdict === 'exhausted') {
    terminal.print(`✓ Without the hazard the program holds under every schedule (${looked}).`);
    return exitCode.holds;
  }
  if (result.verdict === 'violation') {
    terminal.print(`✗ The program fails without the hazard, too: ${result.failure?.message ?? ''} (${looked})`);
    return exitCode.violation;
  }
  terminal.print(`Without the hazard nothing failed, but the program is too large to be exhausted (${looked}).`);
  return exitCode.harness;
}
