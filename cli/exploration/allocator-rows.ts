/** Exploring allocators in a thread of its own: a search does not give way, and Ctrl-C is to be heard. */
import { on } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { exploreAllocators, type AllocatorRow, type AllocatorsOptions } from '../../model/allocators/explore.ts';

/** Gives the rows of `exploreAllocators` as they come, until it is interrupted. */
export type AllocatorRows = (options: AllocatorsOptions, signal: AbortSignal) => AsyncIterable<AllocatorRow>;

interface Job {
  readonly stalemate: 'allocators';
  readonly options: AllocatorsOptions;
}

/** In this thread; it gives way between rows. */
export const allocatorsHere: AllocatorRows = async function* (options, signal) {
  for (const row of exploreAllocators(options)) {
    yield row;
    await new Promise((resolve) => void setImmediate(resolve));
    if (signal.aborted) return;
  }
};

/** In another thread that runs `program`, which must call `serveAllocators`. */
export function allocatorsIn(program: URL): AllocatorRows {
  return async function* (options, signal) {
    const job: Job = { stalemate: 'allocators', options };
    const worker = new Worker(program, { workerData: job });
    try {
      for await (const [row] of on(worker, 'message', { signal, close: ['exit'] })) yield row as AllocatorRow;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await worker.terminate();
    }
  };
}

/** Does the work of the other thread, if this is one. */
export function serveAllocators(): void {
  if (isMainThread || !isJob(workerData)) return;
  for (const row of exploreAllocators(workerData.options)) parentPort?.postMessage(row);
}

function isJob(data: unknown): data is Job {
  return typeof data === 'object' && data !== null && (data as Partial<Job>).stalemate === 'allocators';
}
