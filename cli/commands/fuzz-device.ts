import type { Context } from '../context.ts';
import { exitCode, type ExitCode } from '../exit.ts';
import type { Interrupt } from '../interrupt.ts';
import type { FuzzCommand } from './fuzz.ts';

/** Name under which `fuzz` checks device models against the architecture. */
export const conformanceFamily = 'conformance';

export function fuzzDevice(_command: FuzzCommand, _context: Context): (interrupt: Interrupt) => Promise<ExitCode> {
  return async () => exitCode.harness;
}
