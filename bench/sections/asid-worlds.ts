import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { pct } from '../../engine/strategies/pct.ts';
import { asid } from '../../properties/asid/index.ts';
import { alternate, processorTime, showRate, table, type Measured } from '../measure.ts';

/** Litmus tests that stand for the family: two and three agents, page tables, configuration, flush queue. */
const LITMUS = ['unmap-during-bind', 'unmap-during-bind-two-masters', 'lazy-two-flushes'] as const;

/** Kernel software with architecture and contract checked at each step: how many steps a second, with and without memo. */
export async function asidWorlds(rounds: number, seconds: number): Promise<string> {
  const rows: string[][] = [['', 'best', 'median', 'every step run = 1', 'all schedules']];
  for (const id of LITMUS) {
    const rates = await alternate([contender(id, true), contender(id, false)], { rounds, seconds });
    const plain = rates[1]?.best ?? Number.NaN;
    const exhaustive = Math.max(...Array.from({ length: rounds }, () => searchRate(id)));
    for (const [index, { name, best, median }] of rates.entries())
      rows.push([
        name,
        showRate(best),
        showRate(median),
        `${(best / plain).toFixed(1)} ×`,
        index === 0 ? showRate(exhaustive) : '',
      ]);
  }
  return `Family asid, architecture and contract checked at each step: steps per second of processor time\n${table(rows)}`;
}

function contender(id: string, memoise: boolean): Measured {
  const runner = new Runner({ ...load(id), memoise });
  const strategy = pct(3);
  let seed = 1;
  return {
    name: `${id}, ${memoise ? 'remembered' : 'every step run'}`,
    run: (amount) => {
      let units = 0;
      for (let at = 0; at < amount; at++) {
        runner.run(strategy, seed++);
        units += runner.steps;
      }
      return Promise.resolve({ units, events: amount });
    },
  };
}

/** Transitions a second of an exhaustive search from cold. */
function searchRate(id: string): number {
  const system = load(id);
  const from = processorTime();
  const { transitions } = search(system, { order: 'dfs' });
  return transitions / ((processorTime() - from) / 1000);
}

function load(id: string) {
  const litmus = asid.litmus.find((candidate) => candidate.id === id);
  if (litmus === undefined) throw new Error(`family asid has no litmus ${id}`);
  return asid.world(litmus.configuration).load(litmus.program);
}
