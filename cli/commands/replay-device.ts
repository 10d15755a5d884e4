import type { ConformanceTrace } from '../../traces/format.ts';
import type { Context } from '../context.ts';
import { exitCode, type ExitCode } from '../exit.ts';
import type { ReplayCommand } from './replay.ts';

export async function replayDevice(
  _trace: ConformanceTrace,
  _command: ReplayCommand,
  _context: Context,
): Promise<ExitCode> {
  return exitCode.harness;
}
