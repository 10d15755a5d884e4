/** `--checkpoint` and `--workers` of the command as a process of its own, which is killed, interrupted and short of disk. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const command = 'bin/stalemate.js';
// The first start makes the bundle.
beforeAll(() => void execFileSync('node', [command, '--version']));

let files = 0;
const fresh = (): string => join(folder, `checkpoint${files++}`);

interface Ended {
  readonly code: number | null;
  readonly text: string;
  /** The events of a run with --json. */
  readonly events: readonly Record<string, unknown>[];
}

/** Runs the command; `end` may send it a signal, when it has been told what has been written so far. */
async function run(line: string, end?: (output: string) => NodeJS.Signals | undefined): Promise<Ended> {
  const child = spawn('node', [command, ...line.split(' '), '--out', join(folder, 'found')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let sent = false;
  const hear = (data: Buffer): void => {
    text += data.toString();
    const signal = sent ? undefined : end?.(text);
    if (signal === undefined) return;
    sent = true;
    child.kill(signal);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  const lines = text.split('\n').filter((one) => one.startsWith('{') && one.endsWith('}'));
  return { code, text, events: lines.map((one) => JSON.parse(one) as Record<string, unknown>) };
}

/** Kills the run when so many explorations have been reported. */
const killAfter = (count: number) => (output: string) =>
  output.split('"explored"').length > count ? ('SIGKILL' as const) : undefined;

/** What was explored, without how long it took. */
const explored = ({ events }: Ended) =>
  events.filter(({ event }) => event === 'explored').map((counts) => ({ ...counts, seconds: 0 }));

describe('explore --checkpoint', () => {
  test('killed again and again, it ends as an undisturbed run, and repeats nothing that was finished', async () => {
    const undisturbed = await run(`explore asid --json --workers 1 --checkpoint ${fresh()}`);
    expect(undisturbed.code).toBe(0);
    const file = fresh();
    for (const workers of [1, 2])
      await run(`explore asid --json --workers ${workers} --checkpoint ${file}`, killAfter(12 * workers));
    const last = await run(`explore asid --json --checkpoint ${file}`);
    expect(last.code).toBe(0);
    expect(explored(last)).toEqual(explored(undisturbed));
    expect(last.text).toMatch(/Going on from \S+: [1-9]\d* of \d+ done before/);
    const times = (ended: Ended) => ended.events.map(({ seconds }) => seconds);
    const again = await run(`explore asid --json --checkpoint ${file}`);
    expect(times(again)).toEqual(times(last));
  });

  test('Ctrl-C prints what is done, and ends with code 130', async () => {
    const file = fresh();
    const interrupt = (output: string) => (output.includes('✓') ? ('SIGINT' as const) : undefined);
    const stopped = await run(`explore asid --workers 1 --checkpoint ${file}`, interrupt);
    expect(stopped.code).toBe(130);
    expect(stopped.text).toMatch(/Interrupted: \d+ of \d+ explorations done. The same command goes on from/);
    const without = await run('explore asid --workers 1', interrupt);
    expect(without.code).toBe(130);
    expect(without.text).toContain('With --checkpoint FILE it could be taken up again');
    expect((await run(`explore asid --checkpoint ${file}`)).text).toContain('all as they should be');
  });

  test('a violation is on disk and in the checkpoint', async () => {
    const file = fresh();
    const line = `explore lazy-two-flushes --hazard fq-finish-early --checkpoint ${file}`;
    const first = await run(line);
    expect(first.code).toBe(1);
    const [, trace] = /saved as (\S+json)/.exec(first.text) ?? [];
    expect(existsSync(trace ?? '')).toBe(true);
    const second = await run(line);
    expect(second.code).toBe(1);
    expect(second.text).toContain('1 of 1 done before');
  });

  test('a checkpoint that does not fit is refused and left alone', async () => {
    const file = fresh();
    await run(`explore last-unbind --checkpoint ${file}`);
    const written = readFileSync(file);
    const refused = async (line: string, words: RegExp): Promise<void> => {
      const before = readFileSync(file);
      const { code, text } = await run(`${line} --checkpoint ${file}`);
      expect(text).toMatch(words);
      expect(code).toBe(2);
      expect(readFileSync(file)).toEqual(before);
    };
    await refused('explore split-block', /name was last-unbind, not split-block.*left as it is/);
    await refused('explore last-unbind --states 5', /states was 50000000, not 5/);
    await refused('fuzz asid --runs 10', /is one of stalemate explore, not of fuzz/);
    writeFileSync(file, written.subarray(0, written.length - 1));
    await refused('explore last-unbind', /damaged or incomplete/);
    writeFileSync(file, 'something else\n');
    await refused('explore last-unbind', /not a checkpoint of stalemate/);
    const nowhere = await run(`explore last-unbind --checkpoint ${join(folder, 'no', 'such')}`);
    expect(nowhere.code).toBe(2);
    expect(nowhere.text).toContain('cannot be written');
  });

  test('of other sources is refused', async () => {
    const file = fresh();
    await run(`explore last-unbind --checkpoint ${file}`);
    const { rewrite } = await import('../engine/checkpoint.ts').then(({ readCheckpoint, writeCheckpoint }) => ({
      rewrite: (): void => {
        const read = readCheckpoint(file);
        if (read === undefined) throw new Error('no checkpoint was written');
        const header = JSON.parse(JSON.stringify(read.header).replace(/"software":"\w+"/, '"software":"other"'));
        writeCheckpoint(file, { header, parts: read.parts });
      },
    }));
    rewrite();
    const { code, text } = await run(`explore last-unbind --checkpoint ${file}`);
    expect(text).toContain('was written by another version of the sources');
    expect(code).toBe(2);
  });

  test('a disk that is full is said, and the run goes on', async () => {
    const file = fresh();
    await run(`explore last-unbind --checkpoint ${file}`);
    const before = statSync(file).size;
    const other = fresh();
    // Files of this process may have so many blocks of 512 bytes: the first checkpoint fits, and soon none does.
    const shell = `ulimit -f 8; exec node ${command} explore asid --workers 2 --checkpoint ${other}`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { encoding: 'utf8' });
    expect(stderr).toMatch(/Warning: the checkpoint could not be written \(EFBIG[^)]*\)/);
    expect(stdout).toContain('all as they should be');
    expect(status).toBe(0);
    const left = await run(`explore asid --checkpoint ${other}`);
    expect(left.code).toBe(0);
    expect(left.text).toMatch(/Going on from|all as they should be/);
    expect(before).toBeGreaterThan(100);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

/** What a run of `fuzz` counted, without times and without what merged statistics cannot tell. */
function counted({ events }: Ended): Record<string, unknown> {
  const summary = events.find(({ event }) => event === 'summary') ?? {};
  const keys = ['family', 'seed', 'executions', 'programs', 'steps', 'stepsMin', 'stepsMax', 'boundsHit', 'found'];
  return Object.fromEntries([...keys, 'witnesses', 'operations'].map((key) => [key, summary[key]]));
}

describe('fuzz --checkpoint', () => {
  test('killed, it goes on after the last round, without the seed being said again', async () => {
    // Some seconds, of which the first second brings the first checkpoint.
    const line = 'fuzz asid --json --runs 40000';
    const undisturbed = await run(`${line} --seed 7`);
    const file = fresh();
    const begun = performance.now();
    // The output of a run with --json says nothing until the end: killed when the file says that rounds have been made.
    const child = spawn('node', [command, ...`${line} --seed 7 --checkpoint ${file}`.split(' ')], { stdio: 'ignore' });
    const over = new Promise((resolve) => void child.once('close', resolve));
    while (!(existsSync(file) && readFileSync(file, 'utf8').includes('"round"')) && performance.now() - begun < 60_000)
      await new Promise((resolve) => void setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await over;
    const resumed = await run(`${line} --checkpoint ${file}`);
    expect(resumed.text).toMatch(/Going on from \S+, after \d+ round/);
    expect(counted(resumed)).toEqual(counted(undisturbed));
    const other = await run(`${line} --seed 8 --checkpoint ${file}`);
    expect([other.code, other.text]).toEqual([2, expect.stringContaining('seed was 7, not 8')]);
    const longer = await run(`fuzz asid --json --runs 40500 --checkpoint ${file}`);
    expect(counted(longer)).toMatchObject({ executions: 40_500, found: 0 });
  });

  test('a failure that was found stays found', async () => {
    const file = fresh();
    const line = `fuzz asid --hazard share-asid-two-masters --seed 1 --minimise 0 --checkpoint ${file}`;
    const killed = await run(line, (output) => (output.includes('Found') ? 'SIGKILL' : undefined));
    expect(killed.code).not.toBe(0);
    const resumed = await run(line);
    expect(resumed.code).toBe(1);
    const [, failure] = /Found (\S+) after/.exec(killed.text) ?? [];
    expect(resumed.text).toContain(`Found ${failure ?? '?'} after`);
    const again = await run(line);
    expect(again.code).toBe(1);
    expect(again.text).toContain(`Found before: ${failure ?? '?'}; saved as`);
  });
});

describe('fuzz --workers', () => {
  test('several are a function of seed and number too, and more than one', async () => {
    const line = 'fuzz asid --json --runs 600 --seed 3';
    const [first, second, alone] = (await Promise.all(
      ['--workers 3', '--workers 3', '--workers 1'].map((workers) => run(`${line} ${workers}`)),
    )) as [Ended, Ended, Ended];
    expect(counted(first)).toEqual(counted(second));
    expect(counted(first)).toMatchObject({ executions: 600, found: 0 });
    expect(counted(first)['steps']).not.toBe(counted(alone)['steps']);
  });

  test('find, save and report', async () => {
    const found = await run('fuzz asid --hazard share-asid-two-masters --seed 1 --workers 2 --minimise 0');
    expect(found.code).toBe(1);
    const [, trace] = /saved as (\S+json)/.exec(found.text) ?? [];
    expect(existsSync(trace ?? '')).toBe(true);
    expect(found.text).toMatch(/[12] different failures? in/);
    expect((await run('fuzz asid --workers 0')).code).toBe(2);
  });
});
