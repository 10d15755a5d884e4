import { Worker } from 'node:worker_threads';
import type { SearchResult } from '../options.ts';
import type { PlainOptions, SearchState } from './job.ts';
import { runSearch } from './run-search.ts';
import { SEARCH_THREAD } from './serve.ts';

/** What to search. */
export interface SearchTask {
  /** Of the world, for the program's `BuildWorld`; can be copied to another thread. */
  readonly description: unknown;
  readonly options: PlainOptions;
}

/** How to search it. */
export interface ParallelOptions {
  /** Threads for this search; default: all of the pool. Breadth first there is only one. */
  readonly threads?: number;
  /** Where an earlier search was left, to be taken up. */
  readonly from?: SearchState;
  /** Ends the search; it then has the verdict `bound`, `stopped`. */
  readonly signal?: AbortSignal;
  /** Called when enough threads are free, and the search begins. */
  readonly onStart?: () => void;
  /** Told a few times a second how many states have been reached. */
  readonly onProgress?: (states: number) => void;
  /**
   * Saves the state of the search every so many seconds (but so that it takes little of the time), and when it is stopped by
   * the signal. All threads stand still meanwhile. Not for searches breadth first.
   */
  readonly checkpoint?: { readonly seconds: number; readonly save: (state: SearchState) => void };
}

/**
 * Threads that search. They are started once, and each search uses as many of them as it wants, when they are free.
 *
 *     const pool = new SearchThreads(new URL(import.meta.url), 4);
 *     const result = await pool.search({ description, options: { order: 'dfs' } });
 *     await pool.close();
 */
export class SearchThreads {
  readonly size: number;
  readonly #all = new Set<Worker>();
  readonly #free: Worker[] = [];
  readonly #waiting: { readonly threads: number; readonly go: (workers: Worker[]) => void }[] = [];
  readonly #program: URL;

  /** @param program must call `serveSearch`; threads are started as they are needed. */
  constructor(program: URL, size: number) {
    this.#program = program;
    this.size = size;
  }

  /** Searches when enough threads are free. What breaks in a thread is thrown here. */
  async search(task: SearchTask, options: ParallelOptions = {}): Promise<SearchResult> {
    const wanted = task.options.order === 'bfs' ? 1 : Math.min(options.threads ?? this.size, this.size);
    const workers = await this.#acquire(wanted);
    try {
      options.onStart?.();
      return await runSearch(workers, task, options);
    } finally {
      this.#release(workers);
    }
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  async #acquire(threads: number): Promise<Worker[]> {
    if (this.#available() >= threads && this.#waiting.length === 0) return this.#take(threads);
    return new Promise((go) => void this.#waiting.push({ threads, go }));
  }

  #available(): number {
    return this.#free.length + this.size - this.#all.size;
  }

  #take(threads: number): Worker[] {
    while (this.#free.length < threads) this.#start();
    return this.#free.splice(0, threads);
  }

  #start(): void {
    const worker = new Worker(this.#program, { workerData: SEARCH_THREAD });
    // A pool that nobody has closed does not keep the process from ending.
    worker.unref();
    // Whoever waits for the thread hears of the error too.
    worker.on('error', () => undefined);
    worker.once('exit', () => this.#all.delete(worker));
    this.#all.add(worker);
    this.#free.push(worker);
  }

  #release(workers: readonly Worker[]): void {
    this.#free.push(...workers.filter((worker) => this.#all.has(worker)));
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#available() < first.threads) return;
      this.#waiting.shift();
      first.go(this.#take(first.threads));
    }
  }
}
