/**
 * Minimising in a thread of its own. A search does not give way for seconds at a time; here it does not keep Ctrl-C from
 * being heard.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Found } from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';
import { minimise, type Minimised } from '../properties/minimise/minimise.ts';

/** Minimises, or returns undefined if it was interrupted with nothing to show. */
export type Minimise = (
  family: Family,
  found: Found,
  options: { readonly seconds: number; readonly signal: AbortSignal },
) => Promise<Minimised | undefined>;

/** In this thread: for tests, whose families another thread does not know. */
export const minimiseHere: Minimise = (family, found, { seconds, signal }) =>
  minimise(family, found, { seconds, stop: () => signal.aborted });

/** After an interruption the minimiser has this long to hand over the best that it has. */
const graceMs = 2_000;

interface Job {
  readonly stalemate: 'minimise';
  readonly family: string;
  readonly found: Found;
  readonly seconds: number;
  /** One word; not 0: stop. */
  readonly stop: SharedArrayBuffer;
}

/** In another thread that runs `program`, which must call `serveBackground`. */
export function minimiseIn(program: URL): Minimise {
  return async (family, found, { seconds, signal }) => {
    const stop = new SharedArrayBuffer(4);
    const job: Job = { stalemate: 'minimise', family: family.name, found, seconds, stop };
    const worker = new Worker(program, { workerData: job });
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      Atomics.store(new Int32Array(stop), 0, 1);
      timer = setTimeout(() => void worker.terminate(), graceMs);
    };
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      return await new Promise<Minimised | undefined>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.once('exit', () => resolve(undefined));
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      await worker.terminate();
    }
  };
}

/** Does the work of the other thread, if this is one; returns false in the main thread. */
export function serveBackground(families: readonly Family[]): boolean {
  if (isMainThread || !isJob(workerData)) return false;
  const { family: name, found, seconds, stop } = workerData;
  const family = families.find((candidate) => candidate.name === name);
  if (family === undefined) throw new Error(`the thread does not know the family ${name}`);
  const flag = new Int32Array(stop);
  const stopped = (): boolean => Atomics.load(flag, 0) !== 0;
  void minimise(family, found, { seconds, stop: stopped }).then((result) => parentPort?.postMessage(result));
  return true;
}

function isJob(data: unknown): data is Job {
  return typeof data === 'object' && data !== null && (data as Partial<Job>).stalemate === 'minimise';
}
