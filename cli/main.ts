/** The `stalemate` command with the families that this version has. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { families } from '../properties/index.ts';
import { campaignsIn } from './campaigns.ts';
import { minimiseIn } from './background.ts';
import { allocatorsIn } from './exploration/allocator-rows.ts';
import { run } from './run.ts';
import { searchIn } from './searchers.ts';

/**
 * Runs the command and sets the process's exit code.
 *
 * @param threads the bundle of `thread.ts`.
 */
export async function main(argv: readonly string[], threads: URL): Promise<void> {
  process.exitCode = await run(argv, families, {
    minimise: minimiseIn(threads),
    searcher: searchIn(threads),
    campaigns: campaignsIn(threads),
    allocators: allocatorsIn(threads),
    software: hashOf(new URL(import.meta.url), threads),
  });
}

/** All sources are in these files. */
function hashOf(...files: readonly URL[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
