/** A search whose process is killed at any time loses no more than what it did since its last checkpoint. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { SearchResult } from '../search.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-killed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly from: number;
  /** States at the last checkpoint. */
  readonly saved: number;
  readonly result: SearchResult | undefined;
}

/** Runs the program until it has saved its state so many times, then kills it without warning. */
async function run(threads: number, file: string, saves: number): Promise<Run> {
  const child = spawn('node', ['bin/run.js', 'bench/testing/search-program.ts', 'M', String(threads), file]);
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
    if (output.split('saved').length > saves) child.kill('SIGKILL');
  });
  await new Promise((resolve) => void child.once('close', resolve));
  const lines = output.split('\n');
  const numbers = (word: string): number[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length)));
  const result = lines.find((line) => line.startsWith('{'));
  return {
    from: numbers('from')[0] ?? -1,
    saved: numbers('saved').at(-1) ?? 0,
    result: result === undefined ? undefined : (JSON.parse(result) as SearchResult),
  };
}

test.each([1, 3])(
  '%d threads: killed again and again, it ends with the counts of an undisturbed run',
  async (threads) => {
    const undisturbed = await run(threads, join(folder, `undisturbed ${threads}`), Infinity);
    expect(undisturbed.result).toMatchObject({ verdict: 'exhausted', states: 144_021 });
    const file = join(folder, `killed ${threads}`);
    let saved = 0;
    for (let kills = 0; kills < 4; kills++) {
      const killed = await run(threads, file, 1 + (kills % 3));
      expect(killed.from).toBeGreaterThanOrEqual(saved);
      saved = killed.saved;
      if (killed.result !== undefined) break;
      expect(saved).toBeGreaterThan(0);
    }
    const { result, from } = await run(threads, file, Infinity);
    expect(from).toBeGreaterThanOrEqual(saved);
    const { verdict, states, ends, failures } = undisturbed.result as SearchResult;
    // Which steps sleep sets leave out depends on who comes first, and on what was done when it was saved.
    expect(result).toMatchObject({ verdict, states, ends, failures });
    expect(readdirSync(folder).filter((name) => name.includes('tmp')).length).toBeLessThanOrEqual(1);
  },
);
