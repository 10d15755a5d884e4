import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { BuildWorld, Job } from './job.ts';
import { runJob } from './searcher.ts';

/** `workerData` of a thread that searches. */
export const SEARCH_THREAD = { stalemate: 'search' } as const;

/**
 * Makes this thread search what it is told to, if it was started for that: a program that wants to search in parallel calls
 * this first of all, in each of its threads.
 *
 * @param build makes the worlds that descriptions name.
 * @returns true in such a thread, which should then do nothing else.
 */
export function serveSearch(build: BuildWorld): boolean {
  if (isMainThread || !isSearchThread(workerData)) return false;
  parentPort?.on('message', (job: Job) => {
    runJob(job, build);
    job.port.close();
  });
  return true;
}

function isSearchThread(data: unknown): boolean {
  return (
    typeof data === 'object' && data !== null && (data as { stalemate?: unknown }).stalemate === SEARCH_THREAD.stalemate
  );
}
