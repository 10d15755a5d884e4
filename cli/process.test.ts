/** The command as a process of its own: signals, missing and dying devices, a reader that goes away. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findQemuArm } from '../impl/qemu/index.ts';
import { loadTrace } from '../traces/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'stalemate-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const command = ['bin/stalemate.js'];

// The first start makes the bundle; after that a start takes a fraction of a second.
beforeAll(() => void execFileSync('node', [...command, '--version']));

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function start(line: string, env: Record<string, string> = {}): Running {
  const child = spawn('node', [...command, ...line.split(' ')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => void child.once('close', (code) => resolve(code)));
  return { child, output: () => output, ended };
}

async function until(running: Running, condition: () => boolean): Promise<void> {
  let over = false;
  void running.ended.then(() => (over = true));
  while (!condition()) {
    if (over) throw new Error(`ended too early:\n${running.output()}`);
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')')).split(' ')[2] === String(pid) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe('Ctrl-C', () => {
  test('ends a fuzz run with its summary and code 130', async () => {
    const run = start('fuzz asid --seconds 100 --seed 1');
    await until(run, () => run.output().includes('correct implementation'));
    await new Promise((resolve) => void setTimeout(resolve, 500));
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(run.output()).toMatch(/Stopping.*held until it was interrupted: [\d,]+ executions.*witnesses/s);
  });

  test('ends an exhaustive search with what it did not get to, and code 130', async () => {
    const run = start('verify asid --ops 4 --world plain');
    await until(run, () => /^ +2 +plain +✓/m.test(run.output()));
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(run.output()).toMatch(/held until it was interrupted: every interleaving of [\d,]+ programs/);
    expect(run.output()).toMatch(/3 operations from plain: ended early, after [\d,]+ states/);
    expect(run.output()).toMatch(/4 operations from\s+plain: not begun/);
  });

  test('ends a hunt in several processes with the results so far, and code 130', async () => {
    const run = start('hazards --workers 2 --seeds 1000 --strategy random');
    // The bundler may be a child, too.
    const hunters = (): number[] =>
      childrenOf(run.child.pid ?? 0).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--hazard'));
    await until(run, () => hunters().length === 2);
    const children = hunters();
    await new Promise((resolve) => void setTimeout(resolve, 4_000));
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(run.output()).toMatch(/Interrupted: 0 of \d+ hazards hunted\./);
    expect(children.filter(exists)).toEqual([]);
  });

  test('while a failure is minimised loses nothing', async () => {
    const out = join(folder, 'interrupted');
    const run = start(`fuzz asid --hazard share-asid-two-masters --seed 1 --out ${out}`);
    await until(run, () => run.output().includes('Minimising'));
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(1);
    const [name = ''] = readdirSync(out);
    expect(loadTrace(join(out, name))).toMatchObject({ hazard: 'share-asid-two-masters' });
    expect(run.output()).toContain(`npx stalemate replay ${join(out, name)}`);
    const { status, stdout } = spawnSync('node', [...command, 'replay', join(out, name)], { encoding: 'utf8' });
    expect(stdout).toContain('✗ Reproduced');
    expect(status).toBe(1);
  });
});

test('a reader that goes away is no error', () => {
  const { status, stderr } = spawnSync('sh', ['-c', `node ${command.join(' ')} fuzz --help | head -1`], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

describe('without QEMU', () => {
  const env = { QEMU_ARM: '/nowhere/qemu-system-aarch64' };

  test('a device run says what to do, and ends with code 3', async () => {
    const run = start('fuzz conformance --target qemu-smmuv3 --seconds 5 --seed 1', env);
    expect(await run.ended).toBe(3);
    expect(run.output()).toMatch(/\/nowhere\/qemu-system-aarch64.*stalemate doctor/s);
    expect(run.output()).not.toMatch(/ {4}at /);
  });

  test('so does a replay', async () => {
    const run = start('replay traces/report/testing/deviation.json', env);
    expect(await run.ended).toBe(3);
    expect(run.output()).toContain('stalemate doctor');
  });

  test('doctor shows how to install it', async () => {
    const run = start('doctor', env);
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/✗ qemu-smmuv3 +cannot be used here.*apt-get install/s);
  });
});

describe.skipIf(findQemuArm() === undefined)('with QEMU', () => {
  test('a process that is killed in mid-run is replaced, and the run goes on', async () => {
    const run = start(
      `--json fuzz conformance --target qemu-smmuv3 --seconds 8 --seed 1 --out ${join(folder, 'killed')}`,
    );
    await until(run, () => run.output().includes('"event":"failure"'));
    const [qemu = 0] = childrenOf(run.child.pid ?? 0);
    process.kill(qemu, 'SIGKILL');
    expect(await run.ended).toBe(1);
    const summary = JSON.parse(run.output().trim().split('\n').at(-1) ?? '') as {
      statistics: { restarts: number; programs: number };
    };
    expect(summary.statistics.restarts).toBeGreaterThan(0);
    expect(summary.statistics.programs).toBeGreaterThan(10);
  });

  test('Ctrl-C leaves no process behind, and what was found is on disk', async () => {
    const out = join(folder, 'device');
    const run = start(`--json fuzz conformance --target qemu-smmuv3 --seconds 60 --seed 1 --out ${out}`);
    await until(run, () => run.output().includes('"event":"failure"'));
    const children = childrenOf(run.child.pid ?? 0);
    expect(children.length).toBeGreaterThan(0);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(1);
    expect(readdirSync(out).length).toBeGreaterThan(0);
    // A child that was just killed is still known until its new parent has taken note.
    for (const child of children) await expect.poll(() => exists(child), { timeout: 10_000 }).toBe(false);
  });

  test('a known deviation of this device comes back, and the architecture has none', async () => {
    const device = start('replay traces/report/testing/deviation.json');
    expect(await device.ended).toBe(1);
    expect(device.output()).toContain('✗ Reproduced: tlbi-global-any-asid');
    const architecture = start('replay traces/report/testing/deviation.json --target architecture');
    expect(await architecture.ended).toBe(0);
  });
});
