import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AsidShare } from './workloads/asid-share.ts';

/** What one exhaustive run of SPIN's verifier reported. */
export interface SpinRun {
  readonly states: number;
  /** SPIN counts the initial state as a transition; here it is not. */
  readonly transitions: number;
  /** Processor time of the verifier alone, in milliseconds: translation and compilation are not counted. */
  readonly ms: number;
}

/** SPIN's verifier for one size of the canonical workload, compiled into a directory of its own. */
export class Spin {
  readonly #directory = mkdtempSync(join(tmpdir(), 'stalemate-bench-'));

  /** True if `spin` and `gcc` can be run here. */
  static isInstalled(): boolean {
    try {
      execFileSync('spin', ['-V'], { stdio: 'ignore' });
      execFileSync('gcc', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }

  /** @param model the Promela file. */
  constructor(model: string, { devices, dmas, pages, locked }: AsidShare) {
    const cwd = this.#directory;
    const defines = [`-DDEVICES=${devices}`, `-DDMAS=${dmas}`, `-DPAGES=${pages}`, ...(locked ? ['-DLOCKED'] : [])];
    execFileSync('spin', ['-a', ...defines, resolve(model)], { cwd, stdio: 'pipe' });
    for (const [name, flags] of [
      ['full', ['-DNOREDUCE']],
      ['por', []],
    ] as const)
      execFileSync('gcc', ['-O2', '-DSAFETY', '-DMEMLIM=4096', '-w', ...flags, '-o', name, 'pan.c'], {
        cwd,
        stdio: 'pipe',
      });
  }

  /** Explores everything: `full`, or with SPIN's partial-order reduction (`por`: fewer states). */
  run(mode: 'full' | 'por'): SpinRun {
    // 2^24 slots: the fastest of 22, 24 and 26 at size L. -A: failed assertions do not prune, as `countFailures` here.
    const command = `TIMEFORMAT='processor time %U %S'; time ./${mode} -m10000 -w24 -A`;
    const { stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: this.#directory, encoding: 'utf8' });
    const output = `${stdout}\n${stderr}`;
    const times = /processor time ([\d.]+) ([\d.]+)/.exec(output);
    const ms = (Number(times?.[1]) + Number(times?.[2])) * 1000;
    const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
    return { states: number(/(\d+) states, stored/), transitions: number(/(\d+) transitions/) - 1, ms };
  }

  /** Removes the compiled verifier. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
