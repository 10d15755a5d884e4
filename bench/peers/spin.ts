import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AsidShare } from '../workloads/asid-share.ts';

/** How SPIN's verifier is compiled: everything, its partial-order reduction, one or two bits for a state, breadth first. */
const MODES = {
  full: ['-DNOREDUCE'],
  por: [],
  bitstate: ['-DNOREDUCE', '-DBITSTATE'],
  bfs: ['-DNOREDUCE', '-DBFS'],
} as const;

/** One way to run SPIN. */
export type SpinMode = keyof typeof MODES;

/** What one run of SPIN's verifier reported. */
export interface SpinRun {
  readonly states: number;
  /** SPIN counts the initial state as a transition; here it is not. */
  readonly transitions: number;
  /** Processor time of the verifier alone, in milliseconds: translation and compilation are not counted. */
  readonly ms: number;
  /** Memory that SPIN says it used, in megabytes. */
  readonly memoryMb: number;
  /** Steps of the counterexample, if one was looked for and found. */
  readonly length: number | undefined;
}

/** SPIN's verifier for one size of the canonical workload, compiled into a directory of its own. */
export class Spin {
  /** Milliseconds of processor time for translation, and then for each compilation. */
  readonly buildMs = new Map<SpinMode, number>();
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

  constructor({ devices, dmas, pages, locked }: AsidShare, modes: readonly SpinMode[]) {
    const defines = [`-DDEVICES=${devices}`, `-DDMAS=${dmas}`, `-DPAGES=${pages}`, ...(locked ? ['-DLOCKED'] : [])];
    const translated = this.#timed(`spin -a ${defines.join(' ')} ${resolve('bench/peers/asid-share.pml')}`).ms;
    for (const mode of modes) {
      const built = this.#timed(`gcc -O2 -DSAFETY -DMEMLIM=8192 -w ${MODES[mode].join(' ')} -o ${mode} pan.c`);
      if (built.status !== 0) throw new Error(`SPIN's verifier does not compile: ${built.output}`);
      this.buildMs.set(mode, translated + built.ms);
    }
  }

  /**
   * Explores everything: a failed assertion does not prune, as with `countFailures` here.
   *
   * @param slots log2 of the size of the hash table, which decides SPIN's time: it should just hold the states.
   */
  exhaust(mode: SpinMode, slots = 24): SpinRun {
    return this.#run(`./${mode} -m10000 -w${mode === 'bitstate' ? slots + 4 : slots} -A`);
  }

  /** Ends at the first failed assertion. */
  firstBug(mode: SpinMode): SpinRun {
    return this.#run(`./${mode} -m10000 -w20`);
  }

  /** Removes the compiled verifiers. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #run(command: string): SpinRun {
    const { output, ms } = this.#timed(command);
    const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
    const length = /\(at depth (\d+)\)/.exec(output)?.[1];
    return {
      states: number(/(\d+) states, stored/),
      transitions: number(/(\d+) transitions/) - 1,
      memoryMb: number(/([\d.]+)\s+total actual memory usage/),
      // SPIN counts from 0.
      length: length === undefined ? undefined : Number(length) + 1,
      ms,
    };
  }

  #timed(command: string): { output: string; ms: number; status: number | null } {
    const timed = `TIMEFORMAT='processor time %U %S'; time ${command}`;
    const { stdout, stderr, status } = spawnSync('bash', ['-c', timed], { cwd: this.#directory, encoding: 'utf8' });
    const output = `${stdout}\n${stderr}`;
    const times = /processor time ([\d.]+) ([\d.]+)/.exec(output);
    return { output, ms: (Number(times?.[1]) + Number(times?.[2])) * 1000, status };
  }
}
