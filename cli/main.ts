/** The `stalemate` command with the families that this version has. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { serveSearch } from '../engine/search/parallel/serve.ts';
import { families } from '../properties/index.ts';
import { campaignsIn, serveCampaigns } from './campaigns.ts';
import { minimiseIn, serveBackground } from './background.ts';
import { allocatorsIn, serveAllocators } from './exploration/allocator-rows.ts';
import { run } from './run.ts';
import { buildFrom, searchIn } from './searchers.ts';

/** Runs the command and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new URL(import.meta.url);
  process.exitCode = await run(argv, families, {
    minimise: minimiseIn(program),
    searcher: searchIn(program),
    campaigns: campaignsIn(program),
    allocators: allocatorsIn(program),
    // All sources are in one file.
    software: createHash('sha256').update(readFileSync(program)).digest('hex').slice(0, 16),
  });
}

serveBackground(families);
serveSearch(buildFrom(families));
serveCampaigns(families);
serveAllocators();
