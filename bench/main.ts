import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { search } from '../engine/search/search.ts';
import { pct } from '../engine/strategies/pct.ts';
import { randomWalk } from '../engine/strategies/random-walk.ts';
import { asidWorlds } from './asid-worlds.ts';
import { asyncAwait, fastCheckScheduler, ours, plainGenerators } from './contenders.ts';
import { alternate, processorTime, showRate, table } from './measure.ts';
import { Spin } from './spin.ts';
import { asidShare, SIZES, type AsidShare } from './workloads/asid-share.ts';

/**
 * Benchmarks side by side in one run: `npm run bench -- [--rounds N] [--seconds S] [--only random|search|asid]`.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    only: { type: 'string' },
  },
});
const rounds = positive('rounds', options.rounds);
const seconds = positive('seconds', options.seconds);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && (name !== 'rounds' || Number.isInteger(value))) return value;
  process.stderr.write(`--${name} must be a positive number, not "${text}"\n`);
  process.exit(2);
}

async function randomRuns(name: keyof typeof SIZES): Promise<void> {
  const size: AsidShare = { ...SIZES[name], locked: false };
  let seed = 1;
  const contenders = [
    ours('stalemate, random walk', size, randomWalk()),
    ours('stalemate, PCT d=3', size, pct(3)),
    plainGenerators(size),
    asyncAwait(size),
    fastCheckScheduler(size),
  ].map((contender) => ({
    name: contender.name,
    run: async (amount: number) => {
      const { steps, hits } = await contender.run(amount, seed);
      seed += amount;
      return { units: steps, events: hits };
    },
  }));
  const rates = await alternate(contenders, { rounds, seconds });
  const peer = rates.at(-1);
  const rows = rates.map(({ name: who, best, median, msPerEvent }) => [
    who,
    showRate(best),
    showRate(median),
    `${(best / (peer?.best ?? Number.NaN)).toFixed(1)} ×`,
    `${msPerEvent.toPrecision(2)} ms`,
  ]);
  print(`Random schedules, canonical workload ${name} with its bug: bare steps per second of processor time`);
  print(table([['', 'best', 'median', 'fast-check = 1', 'mean time to the bug'], ...rows]));
}

interface Exhaustive {
  readonly name: string;
  readonly states: number;
  readonly transitions: number;
  readonly ms: number;
}

function exhaustive(name: keyof typeof SIZES): void {
  const size: AsidShare = { ...SIZES[name], locked: true };
  const own = (order: 'dfs' | 'bfs') => (): Exhaustive => {
    const from = processorTime();
    const { states, transitions } = search(asidShare(size), { order });
    return { name: `stalemate, ${order}`, states, transitions, ms: processorTime() - from };
  };
  const contenders: (() => Exhaustive)[] = [own('dfs'), own('bfs')];
  const spin = Spin.isInstalled() ? new Spin('bench/workloads/asid-share.pml', size) : undefined;
  if (spin !== undefined)
    for (const mode of ['full', 'por'] as const)
      contenders.push(() => ({
        name: `SPIN, ${mode === 'full' ? 'full' : 'partial-order reduction'}`,
        ...spin.run(mode),
      }));
  const results = contenders.map(() => [] as Exhaustive[]);
  try {
    for (let round = 0; round < rounds; round++) contenders.forEach((run, index) => results[index]?.push(run()));
  } finally {
    spin?.remove();
  }
  const best = results.map((list) => list.toSorted((a, b) => a.ms - b.ms));
  const reference = Math.min(...best.slice(2).map(([first]) => first?.ms ?? Infinity));
  const rows = best.map((list) => {
    const [first, middle] = [list[0] as Exhaustive, list[list.length >> 1] as Exhaustive];
    const cells = [
      first.name,
      String(first.states),
      String(first.transitions),
      `${first.ms.toFixed(0)} ms`,
      `${middle.ms.toFixed(0)} ms`,
    ];
    return [
      ...cells,
      showRate(first.states / (first.ms / 1000)),
      spin === undefined ? '' : `${(reference / first.ms).toFixed(2)} ×`,
    ];
  });
  print(`Every schedule, canonical workload ${name} without the bug`);
  print(
    table([
      ['', 'states', 'transitions', 'best', 'median', 'states/s', spin === undefined ? '' : 'fastest SPIN = 1'],
      ...rows,
    ]),
  );
  if (spin === undefined) print('  spin or gcc is not installed: no comparison with SPIN.');
  else {
    const agree =
      best[0]?.[0]?.states === best[2]?.[0]?.states && best[0]?.[0]?.transitions === best[2]?.[0]?.transitions;
    print(
      agree
        ? '  SPIN reaches exactly the same states by the same transitions.'
        : '  SPIN does NOT reach the same states!',
    );
    if (!agree) process.exitCode = 1;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

print(
  `Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}; ${rounds} rounds, contenders in turn, best of them\n`,
);
if (options.only === undefined || options.only === 'random')
  for (const size of ['S', 'M', 'L'] as const) {
    await randomRuns(size);
    print('');
  }
if (options.only === undefined || options.only === 'search') exhaustive('L');
if (options.only === undefined || options.only === 'asid') print(`\n${await asidWorlds(rounds, seconds)}`);
