import { exploreTraces } from '../../engine/dpor/explore.ts';
import { search } from '../../engine/search/search.ts';
import { processorTime, table } from '../measure.ts';
import { asidShareApart } from '../../engine/testing/asid-share-apart.ts';
import { SIZES } from '../workloads/asid-share.ts';

/**
 * Mazurkiewicz traces of the canonical workload as peers count them (a write of the value that is there is a write): bug, and
 * lock. For M with the lock 330,830 has been given; a sleep-set enumeration counted over states, which shares no code with
 * this one, makes it 330,840 too.
 */
const TRACES = { S: [4_820, 3_832], M: [458_511, 330_840] } as const;

/** One execution for each trace (source-DPOR), beside the search of all states: executions are those of the known counts. */
export function traces(rounds: number): { text: string; agree: boolean } {
  const rows: string[][] = [];
  let agree = true;
  for (const name of ['S', 'M'] as const)
    for (const [index, locked] of [false, true].entries()) {
      const size = { ...SIZES[name], locked };
      const known = TRACES[name][index];
      const times: number[] = [];
      const own = exploreTraces(asidShareApart(size, false), { countFailures: true });
      let found = own;
      for (let round = 0; round < rounds; round++) {
        const from = processorTime();
        found = exploreTraces(asidShareApart(size, true), { countFailures: true });
        times.push(processorTime() - from);
      }
      const from = processorTime();
      const { states } = search(asidShareApart(size, false), { order: 'dfs', countFailures: true });
      const searched = processorTime() - from;
      agree &&= found.traces === known;
      rows.push([
        `${name}, ${locked ? 'lock' : 'bug'}`,
        String(found.traces),
        String(known),
        String(found.blocked),
        String(own.traces),
        `${Math.min(...times).toFixed(0)} ms`,
        `${states} states, ${searched.toFixed(0)} ms`,
      ]);
    }
  const heads = ['', 'traces', 'known', 'blocked', 'silent writes as reads', 'time', 'search instead'];
  const verdict = agree ? 'One execution for each trace.' : 'The counts do NOT agree!';
  return {
    agree,
    text: `Every Mazurkiewicz trace of the canonical workload once\n${table([heads, ...rows])}\n  ${verdict}`,
  };
}
