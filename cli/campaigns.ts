/** Several campaigns side by side, each with a seed of its own, and each in a thread of its own if there is one. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  fuzz,
  mergeSummaries,
  type CampaignState,
  type Found,
  type FuzzOptions,
  type FuzzSummary,
} from '../properties/campaign.ts';
import type { Family } from '../properties/family.ts';

/** What every campaign is told. */
export type PlainFuzzOptions = Pick<FuzzOptions, 'hazard' | 'seed' | 'seconds' | 'runs' | 'strategy'>;

/** What the campaigns tell. */
export interface CampaignEvents {
  /** Called before the campaign goes on. */
  readonly onFound: (worker: number, found: Found) => void;
  readonly onProgress: (summary: FuzzSummary) => void;
  readonly onRound: (worker: number, state: CampaignState) => void;
}

/** Campaigns to run. */
export interface CampaignPlan {
  readonly family: Family;
  readonly options: PlainFuzzOptions;
  readonly workers: number;
  /** A campaign goes on after a failure. Else it ends, and the others too, unless the number of runs says when they end. */
  readonly keepGoing: boolean;
  /** Where each campaign was left. */
  readonly from: readonly (CampaignState | undefined)[];
  readonly signal: AbortSignal;
}

/** Runs campaigns to their end, and says what they did together. */
export type RunCampaigns = (plan: CampaignPlan, events: CampaignEvents) => Promise<FuzzSummary>;

/** Runs one campaign; `share` is its part of the options. */
type RunOne = (plan: CampaignPlan, worker: number, share: PlainFuzzOptions, events: OneEvents) => Promise<FuzzSummary>;

interface OneEvents {
  readonly stopped: AbortSignal;
  readonly onFound: (found: Found) => void;
  readonly onProgress: (summary: FuzzSummary) => void;
  readonly onRound: (state: CampaignState) => void;
}

/** All in this thread, by turns. */
export const campaignsHere: RunCampaigns = (plan, events) => runAll(plan, events, runHere);

/** In threads that run `program`, which must call `serveCampaigns`; one alone in this thread. */
export function campaignsIn(program: URL): RunCampaigns {
  return (plan, events) => runAll(plan, events, plan.workers === 1 ? runHere : runIn(program));
}

/** The seed of one of several campaigns: the first has that of all, so one campaign is what it always was. */
export function seedOf(seed: number, worker: number): number {
  if (worker === 0) return seed;
  const mixed = Math.imul(Math.imul(seed ^ (seed / 2 ** 32), 0x9e3779b1) ^ Math.imul(worker, 0x85ebca6b), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

async function runAll(plan: CampaignPlan, events: CampaignEvents, run: RunOne): Promise<FuzzSummary> {
  const { workers, options, keepGoing, signal } = plan;
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  const latest: (FuzzSummary | undefined)[] = plan.from.map((state) => state?.summary);
  const together = (): FuzzSummary | undefined =>
    latest.reduce((sum, next) =>
      sum === undefined || next === undefined ? (sum ?? next) : mergeSummaries(sum, next, 'side by side'),
    );
  const one = (worker: number): Promise<FuzzSummary> => {
    const { seed, runs } = options;
    const share = runs === undefined ? {} : { runs: Math.floor(runs / workers) + (worker < runs % workers ? 1 : 0) };
    return run(
      plan,
      worker,
      { ...options, ...share, seed: seedOf(seed, worker) },
      {
        stopped: stop.signal,
        onFound: (found) => {
          events.onFound(worker, found);
          if (!keepGoing && runs === undefined) stop.abort();
        },
        onProgress: (summary) => {
          latest[worker] = summary;
          events.onProgress(together() ?? summary);
        },
        onRound: (state) => events.onRound(worker, state),
      },
    );
  };
  try {
    const summaries = await Promise.all(Array.from({ length: workers }, (_, worker) => one(worker)));
    return summaries.reduce((sum, next) => mergeSummaries(sum, next, 'side by side'));
  } finally {
    stop.abort();
    signal.removeEventListener('abort', onAbort);
  }
}

const runHere: RunOne = ({ family, keepGoing, from }, worker, share, { stopped, ...events }) => {
  const state = from[worker];
  return fuzz(family, {
    ...share,
    ...(state === undefined ? {} : { from: state }),
    ...events,
    stop: () => stopped.aborted,
    onFound: (found) => {
      events.onFound(found);
      return keepGoing ? 'continue' : 'stop';
    },
  });
};

interface Job {
  readonly stalemate: 'fuzz';
  readonly family: string;
  readonly share: PlainFuzzOptions;
  readonly from: CampaignState | undefined;
  readonly keepGoing: boolean;
  /** Two words: not 0: stop; number of failures that have been heard of. */
  readonly shared: SharedArrayBuffer;
}

type FromThread =
  | { readonly type: 'found'; readonly found: Found }
  | { readonly type: 'progress' | 'done'; readonly summary: FuzzSummary }
  | { readonly type: 'round'; readonly state: CampaignState };

const STOP = 0;
const HEARD = 1;

function runIn(program: URL): RunOne {
  return async ({ family, keepGoing, from }, worker, share, { stopped, onFound, onProgress, onRound }) => {
    const shared = new SharedArrayBuffer(8);
    const words = new Int32Array(shared);
    const job: Job = { stalemate: 'fuzz', family: family.name, share, from: from[worker], keepGoing, shared };
    const thread = new Worker(program, { workerData: job });
    const onStop = (): void => void Atomics.store(words, STOP, 1);
    stopped.addEventListener('abort', onStop);
    if (stopped.aborted) onStop();
    try {
      return await new Promise<FuzzSummary>((resolve, reject) => {
        thread.once('error', reject);
        thread.once('exit', () => reject(new Error('a thread of the run has ended by itself')));
        thread.on('message', (message: FromThread) => {
          if (message.type === 'done') resolve(message.summary);
          else if (message.type === 'progress') onProgress(message.summary);
          else if (message.type === 'round') onRound(message.state);
          else if (message.type === 'found') {
            onFound(message.found);
            Atomics.add(words, HEARD, 1);
            Atomics.notify(words, HEARD);
          }
        });
      });
    } finally {
      stopped.removeEventListener('abort', onStop);
      await thread.terminate();
    }
  };
}

/** Does the work of a campaign's thread, if this is one; returns false elsewhere. */
export function serveCampaigns(families: readonly Family[]): boolean {
  if (isMainThread || !isJob(workerData)) return false;
  const { family: name, share, from, keepGoing, shared } = workerData;
  const family = families.find((candidate) => candidate.name === name);
  if (family === undefined) throw new Error(`the thread does not know the family ${name}`);
  const words = new Int32Array(shared);
  const say = (message: FromThread): void => parentPort?.postMessage(message);
  let found = 0;
  void fuzz(family, {
    ...share,
    ...(from === undefined ? {} : { from }),
    stop: () => Atomics.load(words, STOP) !== 0,
    onProgress: (summary) => say({ type: 'progress', summary }),
    onRound: (state) => say({ type: 'round', state }),
    onFound: (failure) => {
      say({ type: 'found', found: failure });
      // It is to be on disk before anything else happens.
      found++;
      for (let heard = 0; heard < found; heard = Atomics.load(words, HEARD)) Atomics.wait(words, HEARD, heard, 1_000);
      return keepGoing ? 'continue' : 'stop';
    },
  }).then((summary) => say({ type: 'done', summary }));
  return true;
}

function isJob(data: unknown): data is Job {
  return typeof data === 'object' && data !== null && (data as Partial<Job>).stalemate === 'fuzz';
}
