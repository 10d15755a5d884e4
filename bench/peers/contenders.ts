import fc from 'fast-check';
import { Random } from '../../engine/random.ts';
import { Runner } from '../../engine/run.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import { asidShare, type AsidShare } from '../workloads/asid-share.ts';
import { asyncThreads, PlainWorld, threads } from './asid-share-plain.ts';

/** What some runs of the canonical workload did. */
export interface Work {
  readonly steps: number;
  readonly runs: number;
  /** Runs that showed the bug. */
  readonly hits: number;
}

/** One way to run the canonical workload (unlocked version) under random schedules. */
export interface Contender {
  readonly name: string;
  /** Makes `runs` runs with seeds from `seed` on. */
  run(runs: number, seed: number): Promise<Work>;
}

/** Our engine under a strategy. */
export function ours(name: string, size: AsidShare, strategy: Strategy): Contender {
  const runner = new Runner(asidShare(size));
  return {
    name,
    run: async (runs, seed) => {
      let steps = 0;
      let hits = 0;
      for (let run = 0; run < runs; run++) {
        if (runner.run(strategy, seed + run) === 'failed') hits++;
        steps += runner.steps;
      }
      return { steps, runs, hits };
    },
  };
}

/** Generators stepped directly over plain fields: nothing is checked, undone or seen, and each run builds its world anew. */
export function plainGenerators(size: AsidShare): Contender {
  const random = new Random(0);
  return {
    name: 'plain generators',
    run: async (runs, seed) => {
      let steps = 0;
      let hits = 0;
      for (let run = 0; run < runs; run++) {
        random.seed(seed + run);
        const world = new PlainWorld(size);
        const live = threads(world);
        for (const thread of live) thread.next();
        while (live.length > 0 && !world.stale) {
          const at = random.below(live.length);
          world.steps++;
          if (live[at]?.next().done === true) live.splice(at, 1);
        }
        steps += world.steps;
        if (world.stale) hits++;
      }
      return { steps, runs, hits };
    },
  };
}

/** Async functions under the smallest scheduler that can be written for them. */
export function asyncAwait(size: AsidShare): Contender {
  const random = new Random(0);
  return {
    name: 'async / await, own scheduler',
    run: async (runs, seed) => {
      let steps = 0;
      let hits = 0;
      for (let run = 0; run < runs; run++) {
        random.seed(seed + run);
        const world = new PlainWorld(size);
        const waiting: (() => void)[] = [];
        const gate = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
        for (const thread of asyncThreads(world, gate)) void thread();
        while (waiting.length > 0 && !world.stale) {
          const [resume] = waiting.splice(random.below(waiting.length), 1);
          resume?.();
          world.steps++;
          await undefined;
        }
        steps += world.steps;
        if (world.stale) hits++;
      }
      return { steps, runs, hits };
    },
  };
}

/** fast-check's `scheduler()`, as its documentation shows: each step waits for `s.schedule`. */
export function fastCheckScheduler(size: AsidShare): Contender {
  return {
    name: 'fast-check scheduler()',
    run: async (runs, seed) => {
      let steps = 0;
      let hits = 0;
      await fc.check(
        fc.asyncProperty(fc.scheduler(), async (s) => {
          const world = new PlainWorld(size);
          const gate = (): Promise<void> => s.schedule(Promise.resolve()).then(() => void world.steps++);
          const all = asyncThreads(world, gate).map((thread) => thread());
          await s.waitFor(Promise.all(all));
          steps += world.steps;
          if (world.stale) hits++;
        }),
        { numRuns: runs, seed, endOnFailure: true },
      );
      return { steps, runs, hits };
    },
  };
}
