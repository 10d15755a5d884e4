import { basename, dirname } from 'node:path';
import { loadTrace } from '../../traces/load.ts';
import { toFound, toTrace } from '../../traces/record.ts';
import { familyOf, replaySoftware } from '../../traces/replay.ts';
import { softwareReport } from '../../traces/report/software.ts';
import type { Context } from '../context.ts';
import { exitCode, UsageError, type ExitCode } from '../exit.ts';
import { keepTrace } from '../findings.ts';
import { interruptible } from '../interrupt.ts';

/** Options of `stalemate minimise`. */
export interface MinimiseCommand {
  readonly file: string;
  readonly seconds: number;
  /** Folder for the result; default: beside the trace. */
  readonly out: string | undefined;
}

/** Makes a trace as small as it can be, and saves it as another file (`x.json` → `x.min.json`). */
export async function minimiseCommand(command: MinimiseCommand, context: Context): Promise<ExitCode> {
  const { terminal, families } = context;
  const trace = loadTrace(command.file);
  if (trace.kind === 'conformance')
    throw new UsageError(
      'Traces of devices are minimised when they are found; there is nothing left to do on this one.',
    );
  const family = familyOf(trace, families);
  const { verdict, alignment } = replaySoftware(trace, family);
  if (verdict !== 'reproduced')
    throw new UsageError(
      `${command.file} does not show its failure any more (replay says: ${verdict}), so it cannot be minimised.`,
    );
  const { seconds } = command;
  const minimised = await interruptible(terminal, ({ signal }) =>
    context.minimise(family, toFound(trace, alignment.schedule), { seconds, signal }),
  );
  if (minimised === undefined) return exitCode.interrupted;
  const smaller = toTrace(family, minimised);
  const name = `${basename(command.file, '.json').replace(/\.min$/, '')}.min.json`;
  const file = keepTrace(smaller, command.out ?? dirname(command.file), terminal, name);
  const replayed = replaySoftware(smaller, family);
  terminal.print(softwareReport({ trace: smaller, family, replayed, file, colour: terminal.colour }));
  terminal.event({ event: 'minimised', file, minimal: smaller.minimal });
  return exitCode.violation;
}
