import { CommanderError } from 'commander';
import type { Family } from '../properties/family.ts';
import { TraceError } from '../traces/error.ts';
import { exitCode, UsageError, type ExitCode } from './exit.ts';
import { makeProgram, type Surroundings } from './program.ts';

/** Runs the command and returns its exit code; messages about bad input go to standard error. */
export async function run(
  argv: readonly string[],
  known: readonly Family[],
  surroundings: Surroundings = {},
): Promise<ExitCode> {
  let code: ExitCode = exitCode.holds;
  const program = makeProgram(known, (result) => (code = result), surroundings);
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.holds : exitCode.usage;
    if (!(error instanceof UsageError) && !(error instanceof TraceError)) throw error;
    process.stderr.write(`stalemate: ${error.message}\n`);
    return exitCode.usage;
  }
}
