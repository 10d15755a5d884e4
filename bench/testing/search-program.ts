/**
 * The program of threads that search in tests. In the main thread it searches a canonical workload with checkpoints, to be
 * killed: `node bin/run.js bench/testing/search-program.ts SIZE THREADS FILE`. Prints the result as JSON.
 */
import { SIZES } from '../workloads/asid-share.ts';
import { readCheckpoint, writeCheckpoint } from '../../engine/checkpoint.ts';
import { stateParts, takeState, type StateHeader } from '../../engine/search/parallel/state-file.ts';
import { SearchThreads } from '../../engine/search/parallel/threads.ts';
import { serveSearch } from '../../engine/search/parallel/serve.ts';
import { worldOf, type TestWorld } from './search-worlds.ts';

async function main([size, threads, file]: readonly string[]): Promise<void> {
  const pool = new SearchThreads(new URL(import.meta.url), Number(threads));
  const description: TestWorld = { kind: 'asid-share', size: { ...SIZES[size as keyof typeof SIZES], locked: true } };
  const written = readCheckpoint(file as string);
  const from = written && takeState(written.header['state'] as StateHeader, [...written.parts]);
  process.stdout.write(`from ${from?.counts.states ?? 0}\n`);
  const save = (state: Parameters<typeof stateParts>[0]): void => {
    const { header, parts } = stateParts(state);
    writeCheckpoint(file as string, { header: { state: header }, parts });
    process.stdout.write(`saved ${state.counts.states}\n`);
  };
  const result = await pool.search(
    { description, options: { order: 'dfs' } },
    { checkpoint: { seconds: 0.01, save }, ...(from === undefined ? {} : { from }) },
  );
  process.stdout.write(`${JSON.stringify(result)}\n`);
  await pool.close();
}

if (!serveSearch((description) => worldOf(description as TestWorld))) await main(process.argv.slice(2));
