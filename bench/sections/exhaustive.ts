import type { SearchThreads } from '../../engine/search/parallel/threads.ts';
import { search } from '../../engine/search/search.ts';
import type { SearchOptions } from '../../engine/search/options.ts';
import { searchThreads } from '../search-threads.ts';
import { processorTime, showRate, table } from '../measure.ts';
import { Spin, type SpinMode } from '../peers/spin.ts';
import { asidShare, SIZES, type AsidShare } from '../workloads/asid-share.ts';

interface Exhaustive {
  readonly states: number;
  readonly transitions: number;
  /** Processor time of all threads. */
  readonly ms: number;
  /** Time on the clock, where there are several threads. */
  readonly wallMs?: number;
}

interface Contender {
  readonly name: string;
  /** Whether its counts must be those of a search that reduces nothing. */
  readonly full: boolean;
  /** Whether it leaves out steps, but no states. */
  readonly allStates: boolean;
  /** Whether it is what we compare with: SPIN where it is exhaustive. */
  readonly peer: boolean;
  readonly run: () => Exhaustive | Promise<Exhaustive>;
}

/** How our search explores everything. */
const OURS: readonly (readonly [name: string, full: boolean, options: SearchOptions])[] = [
  ['stalemate, depth first, sleep sets', false, { order: 'dfs' }],
  ['stalemate, depth first', true, { order: 'dfs', reduction: 'none' }],
  ['stalemate, breadth first', true, { order: 'bfs' }],
];

/** Threads of the search that uses several. */
const THREADS = 2;

const SPIN: readonly (readonly [name: string, full: boolean, mode: SpinMode])[] = [
  ['SPIN', true, 'full'],
  ['SPIN, partial-order reduction', false, 'por'],
  ['SPIN, bitstate', false, 'bitstate'],
];

/** log2 of the slots of SPIN's hash table, the fastest for each size. */
const SLOTS = { S: 16, M: 20, L: 24 } as const;

/**
 * Time for every schedule of the correct version, beside SPIN's: best and median of some rounds, in turn.
 */
export async function exhaustive(name: keyof typeof SIZES, rounds: number): Promise<{ text: string; agree: boolean }> {
  const size: AsidShare = { ...SIZES[name], locked: true };
  const spin = Spin.isInstalled()
    ? new Spin(
        size,
        SPIN.map(([, , mode]) => mode),
      )
    : undefined;
  const pool = await searchThreads(THREADS);
  const ours = { allStates: true, peer: false };
  const contenders: Contender[] = [
    ...OURS.map(([who, full, options]) => ({ ...ours, name: who, full, run: () => own(size, options) })),
    { ...ours, name: `${OURS[0]?.[0]}, ${THREADS} threads`, full: false, run: () => inThreads(pool, size) },
    ...(spin === undefined
      ? []
      : SPIN.map(([who, full, mode]) => ({
          name: who,
          full,
          allStates: false,
          peer: mode !== 'bitstate',
          run: () => spin.exhaust(mode, SLOTS[name]),
        }))),
  ];
  const results = contenders.map(() => [] as Exhaustive[]);
  try {
    for (let round = 0; round < rounds; round++)
      for (const [index, { run }] of contenders.entries()) results[index]?.push(await run());
  } finally {
    spin?.remove();
    await pool.close();
  }
  const best = results.map((list) => list.toSorted((a, b) => a.ms - b.ms));
  const reference = Math.min(
    ...best.flatMap(([first], index) => (contenders[index]?.peer === true ? [first?.ms ?? Infinity] : [])),
  );
  const rows = best.map((list, index) => {
    const [first, middle] = [list[0] as Exhaustive, list[list.length >> 1] as Exhaustive];
    return [
      contenders[index]?.name ?? '',
      String(first.states),
      String(first.transitions),
      `${first.ms.toFixed(0)} ms`,
      `${middle.ms.toFixed(0)} ms`,
      first.wallMs === undefined ? '' : `${Math.min(...list.map(({ wallMs = Infinity }) => wallMs)).toFixed(0)} ms`,
      showRate(first.states / (first.ms / 1000)),
      spin === undefined ? '' : (first.ms / reference).toFixed(2),
    ];
  });
  const full = best.flatMap(([first], index) =>
    contenders[index]?.full === true && first !== undefined ? [first] : [],
  );
  const agree =
    full.every(({ states, transitions }) => states === full[0]?.states && transitions === full[0]?.transitions) &&
    results.every(
      (list, index) => contenders[index]?.allStates !== true || list.every(({ states }) => states === full[0]?.states),
    );
  const heads = [
    '',
    'states',
    'transitions',
    'best',
    'median',
    'clock',
    'states/s',
    spin === undefined ? '' : 'fastest SPIN = 1',
  ];
  return { agree, text: lines(name, table([heads, ...rows]), spin, agree) };
}

function own(size: AsidShare, options: SearchOptions): Exhaustive {
  const from = processorTime();
  const { states, transitions } = search(asidShare(size), options);
  return { states, transitions, ms: processorTime() - from };
}

/** The same by several threads. The time of all of them is counted, and that of whoever leads them. */
async function inThreads(pool: SearchThreads, description: AsidShare): Promise<Exhaustive> {
  const from = processorTime();
  const started = performance.now();
  const { states, transitions } = await pool.search({ description, options: { order: 'dfs' } });
  return { states, transitions, ms: processorTime() - from, wallMs: performance.now() - started };
}

function lines(name: string, rows: string, spin: Spin | undefined, agree: boolean): string {
  const head = `Every schedule, canonical workload ${name} without the bug: processor time from cold`;
  if (spin === undefined) return `${head}\n${rows}\n  spin or gcc is not installed: no comparison with SPIN.`;
  const build = [...spin.buildMs.values()].map((ms) => (ms / 1000).toFixed(1)).join(' / ');
  const same = agree
    ? 'SPIN reaches exactly the same states by the same transitions.'
    : 'SPIN does NOT reach the same states!';
  return `${head}\n${rows}\n  ${same} Its translation and compilation (${build} s) is not counted.`;
}
