import { availableParallelism } from 'node:os';
import { processorTime } from '../measure.ts';
import { searchThreads, threadTimes } from '../search-threads.ts';
import { SIZED, type ThreadsRun } from './threads.ts';

/** Searches one size in some threads, in a process of its own: `node bin/run.js bench/sections/threads-run.ts SIZE THREADS TIMES`. */
const [, , size, threads, times] = process.argv;
const description = SIZED[size as keyof typeof SIZED];
const pool = await searchThreads(Number(threads));
const runs: ThreadsRun[] = [];
for (let time = 0; time < Number(times); time++) {
  const before = threadTimes();
  const from = processorTime();
  const started = performance.now();
  const { states, transitions } = await pool.search({ description, options: { order: 'dfs' } });
  const ms = performance.now() - started;
  const share = (processorTime() - from) / availableParallelism();
  const busiest = [...threadTimes()].map(([thread, after]) => after - (before.get(thread) ?? 0));
  runs.push({ states, transitions, ms, leastMs: Math.max(share, ...busiest) });
}
await pool.close();
process.stdout.write(`${JSON.stringify(runs)}\n`);
