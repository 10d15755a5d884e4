import { execFileSync } from 'node:child_process';
import { table } from '../measure.ts';
import { SIZES, type AsidShare } from '../workloads/asid-share.ts';
import { LARGEST } from './memory.ts';

/** The sizes that are searched by several threads, small to large. */
export const SIZED = {
  M: { ...SIZES.M, locked: true },
  L: { ...SIZES.L, locked: true },
  '(3,4,3)': LARGEST,
} as const satisfies Readonly<Record<string, AsidShare>>;

/** Threads that are compared. */
const THREADS = [1, 2] as const;
/** Searches in each process: the first starts the threads, whose code is then compiled while it runs. */
const TIMES = 3;

/** What `threads-run.ts` prints for each search. */
export interface ThreadsRun {
  readonly states: number;
  readonly transitions: number;
  /** On the clock. */
  readonly ms: number;
  /** No search can take less: processor time of its busiest thread, or each core's share of that of all threads, the greater. */
  readonly leastMs: number;
}

/** The best of some searches, in each way of looking at them. */
interface Best {
  readonly states: number;
  readonly transitions: readonly number[];
  readonly cold: number;
  readonly coldLeast: number;
  readonly again: number;
  readonly againLeast: number;
}

/**
 * How much sooner two threads end than one: by the clock, which says it only where nothing else runs, and what the clock
 * would say at least, by processor time. Each run is a process of its own, in turn.
 */
export function threads(rounds: number): { text: string; agree: boolean } {
  const rows: string[][] = [['', 'states', 'steps', 'from cold', 'at least', 'again', 'at least']];
  let agree = true;
  for (const size of Object.keys(SIZED)) {
    const runs = THREADS.map(() => [] as ThreadsRun[][]);
    for (let round = 0; round < rounds; round++)
      for (const [index, count] of THREADS.entries()) runs[index]?.push(inProcess(size, count));
    const [one, two] = runs.map(best) as [Best, Best];
    agree &&= runs.flat(2).every(({ states }) => states === one.states);
    rows.push(row(`${size}, 1 thread`, one), row(`${size}, 2 threads`, two));
    const ratio = (key: keyof Omit<Best, 'transitions'>): string => `${(one[key] / two[key]).toFixed(2)} ×`;
    rows.push(['', '', '', ratio('cold'), ratio('coldLeast'), ratio('again'), ratio('againLeast')]);
  }
  const verdict = agree ? 'Every search reaches the same number of states.' : 'They do NOT reach the same states!';
  return {
    agree,
    text: [
      `Every schedule, canonical workload without the bug, by threads: clock, best of ${rounds} processes`,
      table(rows),
      `  ${verdict} From cold: threads start, and their code is compiled meanwhile, on the same cores.`,
      '  At least: by processor time, on cores that do nothing else.',
    ].join('\n'),
  };
}

function inProcess(size: string, count: number): ThreadsRun[] {
  const args = ['bin/run.js', 'bench/sections/threads-run.ts', size, String(count), String(TIMES)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as ThreadsRun[];
}

function best(runs: readonly (readonly ThreadsRun[])[]): Best {
  const first = runs.flatMap((list) => list.slice(0, 1));
  const later = runs.flatMap((list) => list.slice(1));
  return {
    states: first[0]?.states ?? 0,
    transitions: runs.flat().map(({ transitions }) => transitions),
    cold: Math.min(...first.map(({ ms }) => ms)),
    coldLeast: Math.min(...first.map(({ leastMs }) => leastMs)),
    again: Math.min(...later.map(({ ms }) => ms)),
    againLeast: Math.min(...later.map(({ leastMs }) => leastMs)),
  };
}

function row(name: string, { states, transitions, cold, coldLeast, again, againLeast }: Best): string[] {
  const [fewest, most] = [Math.min(...transitions), Math.max(...transitions)];
  const steps = fewest === most ? String(fewest) : `${fewest}–${most}`;
  return [name, String(states), steps, ...[cold, coldLeast, again, againLeast].map((ms) => `${ms.toFixed(0)} ms`)];
}
