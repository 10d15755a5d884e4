import { pct } from '../../engine/strategies/pct.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { alternate, showRate, table } from '../measure.ts';
import { asyncAwait, fastCheckScheduler, ours, plainGenerators } from '../peers/contenders.ts';
import { SIZES, type AsidShare } from '../workloads/asid-share.ts';

/** Bare steps a second under random schedules, beside fast-check, async functions and plain generators. */
export async function randomRuns(name: keyof typeof SIZES, rounds: number, seconds: number): Promise<string> {
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
  return [
    `Random schedules, canonical workload ${name} with its bug: bare steps per second of processor time`,
    table([['', 'best', 'median', 'fast-check = 1', 'mean time to the bug'], ...rows]),
  ].join('\n');
}
