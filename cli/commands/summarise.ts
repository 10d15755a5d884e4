import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TraceError } from '../../traces/error.ts';
import { loadTrace } from '../../traces/load.ts';
import { familyOf, replaySoftware } from '../../traces/replay.ts';
import { conformanceReport } from '../../traces/report/conformance.ts';
import { markdownSummary, type Listed } from '../../traces/report/markdown.ts';
import { softwareReport } from '../../traces/report/software.ts';
import type { Context } from '../context.ts';
import { exitCode, type ExitCode } from '../exit.ts';

/** Writes a folder of traces as Markdown. A trace that cannot be read is warned about, and the others are written. */
export function summariseCommand(folder: string, { terminal, families }: Context): ExitCode {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  const listed: Listed[] = [];
  let code: ExitCode = exitCode.holds;
  for (const name of names.toSorted()) {
    const file = join(folder, name);
    try {
      const trace = loadTrace(file);
      listed.push({ file, trace, report: report(trace, file, families) });
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      terminal.warn(`stalemate: ${error.message}`);
      code = exitCode.usage;
    }
  }
  terminal.print(markdownSummary(listed));
  return code;
}

function report(trace: Listed['trace'], file: string, families: Context['families']): string {
  if (trace.kind === 'conformance') return conformanceReport({ trace, file, colour: false });
  const family = familyOf(trace, families);
  const replayed = replaySoftware(trace, family);
  if (replayed.failure === undefined) return `The failure does not come back (replay says: ${replayed.verdict}).`;
  return softwareReport({ trace, family, replayed, file, colour: false });
}
