import fc from 'fast-check';
import { Runner } from '../../engine/run.ts';
import { feedback } from '../../engine/strategies/feedback.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { pos } from '../../engine/strategies/pos.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import type { Strategy } from '../../engine/strategies/strategy.ts';
import { urw } from '../../engine/strategies/urw.ts';
import { processorTime, table } from '../measure.ts';
import { asyncThreads, PlainWorld } from '../peers/asid-share-plain.ts';
import { asidShare, SIZES, type AsidShare } from '../workloads/asid-share.ts';

/** Seeds of a round, as in the measurements that others are compared by. */
const SEEDS = 20;
/** A contender that takes longer than so many turns for one round makes no second one. */
const TURNS_MAX = 10;
/** Executions after which one counts as not finding the bug. */
const EXECUTIONS_MAX = 10_000_000;

/** The sizes, and a case in which a random walk shows the bug once in 20,000 runs: one DMA of each device. */
const CASES: Readonly<Record<string, AsidShare>> = {
  ...Object.fromEntries(Object.entries(SIZES).map(([name, size]) => [name, { ...size, locked: false }])),
  'rare case (2, 1, 1)': { devices: 2, dmas: 1, pages: 1, locked: false },
};

interface Hunter {
  readonly name: string;
  /** Executions up to and including the first that shows the bug, from a world that is built anew. */
  hunt(size: AsidShare, seed: number): Promise<number>;
}

/** Mean time to the first bug by strategy, beside fast-check's scheduler: 20 seeds a round, processor time. */
export async function timeToBug(rounds: number, seconds: number): Promise<string> {
  const texts: string[] = [];
  for (const [name, size] of Object.entries(CASES)) texts.push(await compare(name, size, rounds, seconds));
  return texts.join('\n\n');
}

async function compare(name: string, size: AsidShare, rounds: number, seconds: number): Promise<string> {
  const hunters = [
    ...[randomWalk, pct, pos, urw, feedback].map((make) => ours(make)),
    { name: 'fast-check scheduler()', hunt: fastCheck },
  ];
  const found = hunters.map(() => ({ times: [] as number[], executions: 0 }));
  for (const { hunt } of hunters) await warmUp(hunt, size, seconds);
  for (let round = 0; round < rounds; round++)
    for (const [at, { hunt }] of hunters.entries()) {
      const tally = found[at] as { times: number[]; executions: number };
      const spent = tally.times.reduce((sum, time) => sum + time, 0);
      if (round > 0 && spent > round * TURNS_MAX * seconds * 1000) continue;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const from = processorTime();
        tally.executions += await hunt(size, (round * SEEDS + seed) * 0x9e3779b1);
        tally.times.push(processorTime() - from);
      }
    }
  const means = found.map(({ times }) => times.reduce((sum, time) => sum + time, 0) / times.length);
  const peer = means.at(-1) as number;
  const rows = hunters.map(({ name: who }, at) => {
    const { times, executions } = found[at] as { times: number[]; executions: number };
    const mean = means[at] as number;
    const error = Math.sqrt(times.reduce((sum, time) => sum + (time - mean) ** 2, 0)) / times.length;
    return [
      who,
      `${mean.toPrecision(2)} ms`,
      `± ${error.toPrecision(1)}`,
      (executions / times.length).toFixed(0),
      `${times.length}`,
      `${(peer / mean).toFixed(0)} ×`,
    ];
  });
  return `Time to the first bug, canonical workload ${name}\n${table([['', 'mean', 'standard error', 'executions', 'seeds', 'fast-check = 1'], ...rows])}`;
}

/** Lets the compiler see what follows, with other seeds. */
async function warmUp(hunt: Hunter['hunt'], size: AsidShare, seconds: number): Promise<void> {
  const from = processorTime();
  for (let seed = 1; seed <= 2 * SEEDS && processorTime() - from < seconds * 1000; seed++) await hunt(size, -seed);
}

function ours(make: () => Strategy): Hunter {
  return {
    name: `stalemate, ${make().name}`,
    hunt: async (size, seed) => {
      const runner = new Runner(asidShare(size));
      const strategy = make();
      for (let executions = 1; executions <= EXECUTIONS_MAX; executions++)
        if (runner.run(strategy, seed + executions) === 'failed') return executions;
      return EXECUTIONS_MAX;
    },
  };
}

async function fastCheck(size: AsidShare, seed: number): Promise<number> {
  const property = fc.asyncProperty(fc.scheduler(), async (s) => {
    const world = new PlainWorld(size);
    const gate = (): Promise<void> => s.schedule(Promise.resolve()).then(() => void world.steps++);
    const all = asyncThreads(world, gate).map((thread) => thread());
    await s.waitFor(Promise.all(all));
    return !world.stale;
  });
  const { numRuns } = await fc.check(property, { numRuns: EXECUTIONS_MAX, seed: seed | 0, endOnFailure: true });
  return numRuns;
}
