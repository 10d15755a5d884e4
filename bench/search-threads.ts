import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SearchThreads } from '../engine/search/parallel/threads.ts';

/** Threads that search the canonical workload; they are started by the first search. */
export async function searchThreads(size: number): Promise<SearchThreads> {
  const { bundle } = (await import(pathToFileURL(resolve('bin/load.js')).href)) as {
    readonly bundle: (entry: string) => Promise<string>;
  };
  return new SearchThreads(pathToFileURL(await bundle(resolve('bench/thread.ts'))), size);
}

/**
 * Processor time that each thread of this process has used, in milliseconds, by the system's number of the thread.
 *
 * @returns nothing where the system does not say (it is Linux that does).
 */
export function threadTimes(): Map<string, number> {
  const times = new Map<string, number>();
  const folder = '/proc/self/task';
  for (const thread of listed(folder)) {
    const [running] = read(`${folder}/${thread}/schedstat`).split(' ');
    if (running !== '') times.set(thread, Number(running) / 1e6);
  }
  return times;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Threads come and go while they are listed. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
