/** The `stalemate` command with the families that this version has. */
import { families } from '../properties/index.ts';
import { minimiseIn, serveBackground } from './background.ts';
import { run } from './run.ts';

/** Runs the command and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await run(argv, families, { minimise: minimiseIn(new URL(import.meta.url)) });
}

serveBackground(families);
