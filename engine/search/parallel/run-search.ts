import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { HarnessError, type Failure } from '../../failure.ts';
import type { SearchResult } from '../options.ts';
import { Control, SIGNAL, type Counts } from './control.ts';
import type { FromThread, Job, ToThread } from './job.ts';
import { capacityFor, grownFrom, isFull, SharedTable } from './table.ts';
import type { ParallelOptions, SearchTask } from './threads.ts';
import { ALL_BRANCHES, type Branches } from '../unit.ts';

const PROGRESS_MS = 250;
/** Saving takes at most one part in so many of the time. */
const SAVE_SHARE = 20;
const NOTHING: Counts = { states: 0, transitions: 0, ends: 0, depth: 0, failures: 0 };

/** Leads one search in some threads, which do nothing else meanwhile. */
export async function runSearch(
  workers: readonly Worker[],
  task: SearchTask,
  options: ParallelOptions,
): Promise<SearchResult> {
  return new Leader(workers, task, options).run();
}

class Leader {
  readonly #workers: readonly Worker[];
  readonly #task: SearchTask;
  readonly #options: ParallelOptions;
  readonly #control: Control;
  readonly #before: Counts;
  readonly #alone: boolean;
  readonly #ports: MessagePort[] = [];
  #table: SharedTable;
  #memory: SharedArrayBuffer;
  /** Threads that have not ended, and what those that stand still have left to do. */
  #running: number;
  #parked: Branches[][] = [];
  #found: { readonly failure: Failure; readonly schedule: readonly number[] } | undefined;
  #bound: SearchResult['bound'];
  #omissions: SearchResult['omissions'];
  #error: unknown;
  #saveNow = false;
  #saveTimer: NodeJS.Timeout | undefined;
  #end: () => void = () => undefined;

  constructor(workers: readonly Worker[], task: SearchTask, options: ParallelOptions) {
    this.#workers = workers;
    this.#task = task;
    this.#options = options;
    this.#running = workers.length;
    this.#control = new Control(workers.length);
    const { from } = options;
    this.#before = from?.counts ?? NOTHING;
    const { order } = task.options;
    this.#alone = order === 'bfs' || (workers.length === 1 && from === undefined && options.checkpoint === undefined);
    this.#memory = SharedTable.memoryFor(capacityFor(from?.counts.states ?? 0));
    this.#table = new SharedTable(this.#memory);
    if (from !== undefined) this.#table.fill(from.entries);
  }

  async run(): Promise<SearchResult> {
    const { checkpoint, signal, onProgress } = this.#options;
    const timers: NodeJS.Timeout[] = [];
    if (checkpoint !== undefined) this.#saveIn(checkpoint.seconds * 1000);
    if (onProgress !== undefined) timers.push(setInterval(() => onProgress(this.#counts().states), PROGRESS_MS));
    const onAbort = (): void => this.#interrupt();
    const ended = new Promise<void>((resolve) => (this.#end = resolve));
    signal?.addEventListener('abort', onAbort);
    const onExit = this.#workers.map((worker) => this.#watch(worker));
    try {
      this.#start();
      if (signal?.aborted === true) this.#interrupt();
      await ended;
    } finally {
      timers.forEach(clearInterval);
      clearTimeout(this.#saveTimer);
      signal?.removeEventListener('abort', onAbort);
      onExit.forEach((stop) => stop());
      for (const port of this.#ports) port.close();
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#result();
  }

  #start(): void {
    const branches = this.#options.from?.branches ?? [ALL_BRANCHES];
    const threads = this.#workers.length;
    for (const [index, worker] of this.#workers.entries()) {
      const { port1, port2 } = new MessageChannel();
      const job: Job = {
        ...this.#task,
        index,
        threads,
        control: this.#control.memory,
        table: this.#memory,
        statesBefore: this.#before.states,
        backlog: branches.filter((_, at) => at % threads === index),
        port: port2,
        alone: this.#alone,
      };
      port1.on('message', (message: FromThread) => this.#hear(message));
      this.#ports.push(port1);
      worker.postMessage(job, [port2]);
    }
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case 'parked':
        this.#parked.push([...message.branches]);
        this.#arrangeIfAllStand();
        return;
      case 'found':
        if (this.#found === undefined || isShorter(message.schedule, this.#found.schedule)) this.#found = message;
        return;
      case 'bound':
        this.#bound = message.bound;
        this.#omissions = message.omissions;
        return;
      case 'failed':
        this.#error ??= message.error;
        return;
      case 'ended':
        this.#running--;
        if (this.#running === 0) this.#end();
        else this.#arrangeIfAllStand();
    }
  }

  /** A thread that dies ends the search. */
  #watch(worker: Worker): () => void {
    const onError = (error: unknown): void => {
      this.#error ??= error;
    };
    const onExit = (): void => {
      this.#error ??= new HarnessError('a thread of the search has ended by itself');
      this.#control.raise(SIGNAL.STOP);
      this.#hear({ type: 'ended' });
    };
    worker.on('error', onError);
    worker.once('exit', onExit);
    return () => {
      worker.off('error', onError);
      worker.off('exit', onExit);
    };
  }

  #saveIn(ms: number): void {
    if (!this.#alone) this.#saveTimer = setTimeout(() => this.#pauseToSave(), ms);
  }

  #pauseToSave(): void {
    this.#saveNow = true;
    this.#control.raise(SIGNAL.PAUSE);
  }

  #interrupt(): void {
    this.#bound ??= 'stopped';
    if (this.#options.checkpoint !== undefined && !this.#alone) this.#pauseToSave();
    else this.#control.raise(SIGNAL.STOP);
  }

  /** All threads stand still (or have ended): saves the state of the search, makes the table larger, and lets them go on. */
  #arrangeIfAllStand(): void {
    if (this.#parked.length < this.#running || this.#running === 0) return;
    const branches = this.#parked.flat();
    this.#parked = [];
    const stopped = (this.#control.signals & SIGNAL.STOP) !== 0;
    if (this.#saveNow && !stopped) {
      this.#saveNow = false;
      this.#save(branches);
    }
    if (this.#bound === 'stopped') this.#control.raise(SIGNAL.STOP);
    else if (!stopped && isFull(this.#counts().states, this.#table.capacity)) this.#grow();
    this.#control.resume();
  }

  #save(branches: readonly Branches[]): void {
    const { checkpoint } = this.#options;
    const started = performance.now();
    checkpoint?.save({ counts: this.#counts(), branches, entries: this.#table.entries() });
    const took = performance.now() - started;
    this.#saveIn(Math.max((checkpoint?.seconds ?? 0) * 1000, took * SAVE_SHARE));
  }

  #grow(): void {
    const { states } = this.#counts();
    try {
      this.#memory = SharedTable.memoryFor(grownFrom(this.#table.capacity));
    } catch (error) {
      this.#error = new HarnessError(`there is no memory for more than ${states} states: ${String(error)}`);
      this.#control.raise(SIGNAL.STOP);
      return;
    }
    this.#table = new SharedTable(this.#memory);
    const message: ToThread = { table: this.#memory };
    for (const port of this.#ports) port.postMessage(message);
  }

  /** What has been done, by earlier threads too. */
  #counts(): Counts {
    const { states, transitions, ends, depth, failures } = this.#control.total();
    const before = this.#before;
    return {
      states: before.states + states,
      transitions: before.transitions + transitions,
      ends: before.ends + ends,
      depth: Math.max(before.depth, depth),
      failures: before.failures + failures,
    };
  }

  #result(): SearchResult {
    const counts = this.#counts();
    if (this.#found !== undefined)
      return {
        verdict: 'violation',
        ...counts,
        depth: Math.max(counts.depth, this.#found.schedule.length),
        ...this.#found,
      };
    if (this.#bound === undefined) return { verdict: 'exhausted', ...counts };
    const bounded = { verdict: 'bound', bound: this.#bound, ...counts } as const;
    return this.#omissions === undefined ? bounded : { ...bounded, omissions: this.#omissions };
  }
}

/** Shorter, or as long and earlier in the order of agents: which of several is reported does not depend on chance alone. */
function isShorter(one: readonly number[], other: readonly number[]): boolean {
  if (one.length !== other.length) return one.length < other.length;
  const at = one.findIndex((agent, index) => agent !== other[index]);
  return at >= 0 && (one[at] as number) < (other[at] as number);
}
