import fc from 'fast-check';
import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { processorTime, table } from '../measure.ts';
import { asyncThreads, PlainWorld } from '../peers/asid-share-plain.ts';
import { Spin, type SpinMode } from '../peers/spin.ts';
import { asidShare, SIZES, type AsidShare } from '../workloads/asid-share.ts';

interface First {
  readonly ms: number;
  /** Steps of the trace that is reported. */
  readonly length: number;
}

/** Time from nothing to the first counterexample, and how long the trace is that a person then has to read. */
export async function firstBug(name: keyof typeof SIZES, rounds: number): Promise<string> {
  const size: AsidShare = { ...SIZES[name], locked: false };
  const modes: SpinMode[] = ['full', 'bfs'];
  const spin = Spin.isInstalled() ? new Spin(size, modes) : undefined;
  const contenders: [string, (round: number) => First | Promise<First>][] = [
    ['stalemate, breadth first (shortest)', () => searched(size, 'bfs')],
    ['stalemate, depth first', () => searched(size, 'dfs')],
    ['stalemate, PCT d=3', (round) => sampled(size, round)],
    ['fast-check scheduler()', (round) => fastCheck(size, round)],
  ];
  if (spin !== undefined)
    contenders.push(
      ['SPIN, breadth first (shortest)', () => spinFirst(spin, 'bfs')],
      ['SPIN, depth first', () => spinFirst(spin, 'full')],
    );
  const rows: string[][] = [];
  try {
    for (const [who, run] of contenders) {
      const all: First[] = [];
      for (let round = 0; round < rounds; round++) all.push(await run(round + 1));
      const ms = all.map((one) => one.ms).toSorted((a, b) => a - b)[rounds >> 1] as number;
      const lengths = [...new Set(all.map(({ length }) => length))].sort((a, b) => a - b);
      rows.push([
        who,
        `${ms.toPrecision(2)} ms`,
        lengths.length === 1 ? `${lengths[0]}` : `${lengths[0]} to ${lengths.at(-1)}`,
      ]);
    }
  } finally {
    spin?.remove();
  }
  const note = spin === undefined ? '\n  spin or gcc is not installed: no comparison with SPIN.' : '';
  return `First counterexample, canonical workload ${name}: processor time (median), steps of the reported trace\n${table([['', 'time', 'steps'], ...rows])}${note}`;
}

function searched(size: AsidShare, order: 'bfs' | 'dfs'): First {
  const from = processorTime();
  const { schedule = [] } = search(asidShare(size), { order });
  return { ms: processorTime() - from, length: schedule.length };
}

function sampled(size: AsidShare, seed: number): First {
  const from = processorTime();
  const runner = new Runner(asidShare(size));
  const strategy = pct(3);
  for (let run = 0; runner.run(strategy, seed * 7919 + run) !== 'failed'; run++);
  return { ms: processorTime() - from, length: runner.steps };
}

/** fast-check reports the whole run as a list of scheduled promises; its scheduler does not shrink. */
async function fastCheck(size: AsidShare, seed: number): Promise<First> {
  const from = processorTime();
  let length = 0;
  await fc.check(
    fc.asyncProperty(fc.scheduler(), async (s) => {
      const world = new PlainWorld(size);
      const gate = (): Promise<void> => s.schedule(Promise.resolve()).then(() => void world.steps++);
      await s.waitFor(Promise.all(asyncThreads(world, gate).map((thread) => thread())));
      length = world.steps;
      return !world.stale;
    }),
    { numRuns: 1_000_000, seed },
  );
  return { ms: processorTime() - from, length };
}

function spinFirst(spin: Spin, mode: SpinMode): First {
  const { ms, length } = spin.firstBug(mode);
  return { ms, length: length ?? Number.NaN };
}
