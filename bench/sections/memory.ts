import { execFileSync } from 'node:child_process';
import { table } from '../measure.ts';
import { Spin } from '../peers/spin.ts';

/** The largest size of the canonical workload: 12.5 million states. */
export const LARGEST = { devices: 3, dmas: 4, pages: 3, locked: true } as const;

/** How states are remembered, and in how much memory where that is fixed: 43 and 107 bits for a state. */
export const MODES = { full: {}, compact: { memoryMb: 64 }, bitstate: { memoryMb: 160 } } as const;

/** What `memory-run.ts` prints. */
export interface MemoryRun {
  readonly states: number;
  readonly transitions: number;
  readonly ms: number;
  readonly peakMb: number;
  /** Probability that some state was taken for another one. */
  readonly missed: number;
}

/** Memory for the largest size, each mode in a process of its own, beside what SPIN says that it used. */
export function memory(): string {
  const rows: string[][] = [];
  const spin = Spin.isInstalled() ? new Spin(LARGEST, ['full']) : undefined;
  const other = spin?.exhaust('full');
  spin?.remove();
  for (const mode of Object.keys(MODES)) {
    const output = execFileSync(process.execPath, ['bin/run.js', 'bench/sections/memory-run.ts', mode], {
      encoding: 'utf8',
    });
    const run = JSON.parse(output) as MemoryRun;
    const missed = run.missed === 0 ? '' : `, missed some with p = ${run.missed.toPrecision(2)}`;
    rows.push(row(`stalemate, ${mode}${missed}`, run.states, run.ms, run.peakMb, other?.memoryMb));
  }
  if (other !== undefined) rows.push(row('SPIN', other.states, other.ms, other.memoryMb, other.memoryMb));
  const note = other === undefined ? '\n  spin or gcc is not installed: no comparison with SPIN.' : '';
  return `Every schedule of (3,4,3) without the bug: processor time, and peak memory of the process\n${table([['', 'states', 'time', 'memory', 'SPIN = 1'], ...rows])}${note}`;
}

function row(name: string, states: number, ms: number, mb: number, reference: number | undefined): string[] {
  const share = reference === undefined ? '' : (mb / reference).toFixed(2);
  return [name, String(states), `${(ms / 1000).toFixed(1)} s`, `${mb.toFixed(0)} MB`, share];
}
