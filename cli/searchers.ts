/** Who explores: threads that this process starts, or (in tests, whose families threads do not know) this thread. */
import type { BuildWorld } from '../engine/search/parallel/job.ts';
import { SearchThreads, type ParallelOptions, type SearchTask } from '../engine/search/parallel/threads.ts';
import { search, type SearchResult } from '../engine/search/search.ts';
import type { Configuration, Family, Program } from '../properties/family.ts';

/** What `SearchThreads` does. */
export interface Searcher {
  /** Most threads that can work at a time. */
  readonly size: number;
  search(task: SearchTask, options?: ParallelOptions): Promise<SearchResult>;
  close(): Promise<void>;
}

/** Makes a searcher with so many workers. */
export type MakeSearcher = (workers: number) => Searcher;

/** A world of a family, as another thread builds it. */
export interface WorldDescription {
  readonly family: string;
  readonly hazard: string | undefined;
  readonly configuration: Configuration;
  readonly program: Program;
}

/** Builds the worlds of some families from `WorldDescription`s. */
export function buildFrom(families: readonly Family[]): BuildWorld {
  return (description) => {
    const { family: name, hazard, configuration, program } = description as WorldDescription;
    const family = families.find((candidate) => candidate.name === name);
    if (family === undefined) throw new Error(`this thread does not know the family ${name}`);
    return { system: family.world(configuration, hazard).load(program) };
  };
}

/** Threads that run `program`, which must call `serveSearch` with `buildFrom`. */
export function searchIn(program: URL): MakeSearcher {
  return (workers) => new SearchThreads(program, workers);
}

/** This thread. It does not give way, and saves nothing under way. */
export function searchHere(families: readonly Family[]): MakeSearcher {
  const build = buildFrom(families);
  return () => ({
    size: 1,
    search: async ({ description, options }, { signal, onStart }: ParallelOptions = {}) => {
      onStart?.();
      return search(build(description).system, { ...options, stop: () => signal?.aborted === true });
    },
    close: async () => undefined,
  });
}
