import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIZES } from '../../../bench/workloads/asid-share.ts';
import { worldOf, type TestWorld } from '../../../bench/testing/search-worlds.ts';
import { observe } from '../../observe.ts';
import { build, programs } from '../../testing/programs.ts';
import { search, type SearchResult } from '../search.ts';
import type { PlainOptions, SearchState } from './job.ts';
import { SearchThreads, type ParallelOptions } from './threads.ts';

const load = (await import(pathToFileURL('bin/load.js').href)) as { bundle(entry: string): Promise<string> };
let pool: SearchThreads;

beforeAll(async () => {
  const program = await load.bundle(`${process.cwd()}/bench/testing/search-program.ts`);
  pool = new SearchThreads(pathToFileURL(program), 4);
});

afterAll(() => pool.close());

const DFS: PlainOptions = { order: 'dfs' };
const run = (description: TestWorld, options: PlainOptions, parallel: ParallelOptions) =>
  pool.search({ description, options }, parallel);

/** Explores the canonical workload until its state has been saved some times, in one thread and another number of threads. */
async function inPieces(
  description: TestWorld,
  options: PlainOptions,
  threads: readonly number[],
): Promise<SearchResult> {
  let from: SearchState | undefined;
  for (const [piece, count] of threads.entries()) {
    const controller = new AbortController();
    const last = piece === threads.length - 1;
    const save = (state: SearchState): void => {
      from = copied(state);
      if (state.counts.states > (piece + 1) * 1000) controller.abort();
    };
    const result = await run(description, options, {
      threads: count,
      ...(from === undefined ? {} : { from }),
      ...(last ? {} : { checkpoint: { seconds: 0.002, save }, signal: controller.signal }),
    });
    if (result.verdict !== 'bound') return result;
  }
  throw new Error('it never came to an end');
}

/** As it would come from a file: with memory of its own. */
function copied({ counts, branches, entries }: SearchState): SearchState {
  return structuredClone({ counts, branches, entries });
}

describe('a search by several threads', () => {
  test.each([1, 2, 3, 4])('reaches what one reaches: canonical workloads, %d threads', async (threads) => {
    for (const [name, states] of [
      ['S', 12_478],
      ['M', 144_021],
    ] as const) {
      const description: TestWorld = { kind: 'asid-share', size: { ...SIZES[name], locked: true } };
      const alone = search(worldOf(description).system, { ...DFS, reduction: 'none' });
      const { ends, transitions } = alone;
      const reduced = await run(description, DFS, { threads });
      expect(reduced).toMatchObject({ verdict: 'exhausted', states, ends });
      expect(reduced.transitions).toBeLessThan(transitions / 2);
      const full = await run(description, { ...DFS, reduction: 'none' }, { threads });
      expect(full).toMatchObject({ verdict: 'exhausted', states, ends, transitions });
    }
  });

  test('reaches what one reaches: random programs', async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.integer({ min: 1, max: 4 }), async (program, threads) => {
        const description: TestWorld = { kind: 'program', program };
        const alone = search(build(program), { ...DFS, wanted: () => false });
        const result = await run(description, DFS, { threads });
        if (result.verdict === 'violation') {
          const seen = observe(build(program), result.schedule ?? []).failure;
          expect(seen).toEqual(result.failure);
          return;
        }
        expect(result).toMatchObject({ verdict: 'exhausted', states: alone.states, ends: alone.ends });
        expect(search(build(program), DFS).verdict).toBe('exhausted');
        const bounded = { ...DFS, switchesMax: 2 };
        const { states, transitions } = search(build(program), bounded);
        expect(await run(description, bounded, { threads })).toMatchObject({ states, transitions });
      }),
      { numRuns: 100 },
    );
  });

  test('counts each failing transition once', async () => {
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.S, locked: false } };
    const options: PlainOptions = { ...DFS, reduction: 'none', countFailures: true };
    const { verdict, states, transitions, ends, failures } = search(worldOf(description).system, options);
    expect(states).toBe(21_206);
    expect(failures).toBeGreaterThan(100);
    for (const threads of [1, 3])
      expect(await run(description, options, { threads })).toMatchObject({
        verdict,
        states,
        transitions,
        ends,
        failures,
      });
  });

  test('a counterexample ends it, and replays; breadth first it is a shortest one', async () => {
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.M, locked: false } };
    for (const order of ['dfs', 'bfs'] as const) {
      const result = await run(description, { order }, { threads: 3 });
      expect(result.verdict).toBe('violation');
      expect(observe(worldOf(description).system, result.schedule ?? []).failure).toEqual(result.failure);
      if (order === 'bfs') expect(result.schedule).toHaveLength(19);
    }
  });

  test('bounds and interruption end it', async () => {
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.M, locked: true } };
    const some = await run(description, { ...DFS, statesMax: 5_000 }, { threads: 2 });
    expect(some).toMatchObject({ verdict: 'bound', bound: 'states' });
    expect(some.states).toBeGreaterThanOrEqual(5_000);
    expect(some.states).toBeLessThan(20_000);
    expect(await run(description, { ...DFS, stepsMax: 20 }, { threads: 2 })).toMatchObject({ bound: 'steps' });
    for (const order of ['dfs', 'bfs'] as const) {
      const stopped = await run(description, { order }, { threads: 2, signal: AbortSignal.abort() });
      expect(stopped).toMatchObject({ verdict: 'bound', bound: 'stopped' });
    }
  });

  test('what breaks in a thread is thrown, and the threads can be used again', async () => {
    await expect(run({ kind: 'broken' }, DFS, { threads: 3 })).rejects.toThrow('cannot be built');
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.S, locked: true } };
    const results = await Promise.all([1, 2, 3, 4, 2].map((threads) => run(description, DFS, { threads })));
    for (const { states } of results) expect(states).toBe(12_478);
  });
});

describe('a search taken up again', () => {
  test('counts exactly what an uninterrupted one counts, in whatever number of threads', async () => {
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.M, locked: true } };
    const checkpoint = { seconds: 1000, save: () => undefined };
    const alone = await run(description, DFS, { threads: 1 });
    expect(alone.states).toBe(144_021);
    const { verdict, states, ends, depth } = alone;
    const saved = await run(description, DFS, { threads: 1, checkpoint });
    expect(saved).toMatchObject({ verdict, states, ends, depth });
    // What could be taken up by others leaves out a little less.
    expect(saved.transitions).toBeGreaterThanOrEqual(alone.transitions);
    expect(saved.transitions).toBeLessThan(alone.transitions * 1.1);
    expect(await inPieces(description, DFS, [1, 1, 1])).toMatchObject({ verdict, states, ends });
    expect(await inPieces(description, DFS, [2, 1, 4, 2])).toMatchObject({ verdict, states, ends });
    const full: PlainOptions = { ...DFS, reduction: 'none' };
    const { transitions } = await run(description, full, { threads: 1 });
    expect(await inPieces(description, full, [3, 2, 1])).toMatchObject({ verdict, states, ends, transitions });
  });

  test('still finds what there is to find', async () => {
    const description: TestWorld = { kind: 'asid-share', size: { ...SIZES.S, locked: false } };
    const options: PlainOptions = { ...DFS, reduction: 'none', countFailures: true };
    const { states, failures } = search(worldOf(description).system, options);
    expect(await inPieces(description, options, [1, 2, 2])).toMatchObject({ states, failures });
  });
});
