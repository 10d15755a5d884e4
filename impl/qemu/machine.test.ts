import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { REGISTER } from '../../model/architecture/arm/layout/index.ts';
import { examineQemu } from './doctor.ts';
import { QemuMachine, QemuMissing } from './machine.ts';
import { findQemuArm } from './binary.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);
const options = {
  ramBytes: 64 * 2 ** 20,
  commandQueue: { base: 0x4010_0000, log2Entries: 5 },
  eventQueue: { base: 0x4020_0000, log2Entries: 5 },
};
const page = 0x4100_0000;

/** A program, bundled so that plain Node runs it, that starts a machine, prints its process id, and stays or throws. */
const survivorScript = (throws: boolean): string => {
  const contents = `
    import { QemuMachine } from './machine.ts';
    const machine = await QemuMachine.start(${JSON.stringify(options)});
    console.log(machine.process.pid);
    ${throws ? "setTimeout(() => { throw new Error('uncaught'); }, 10);" : 'setInterval(() => {}, 1000);'}`;
  const resolveDir = fileURLToPath(new URL('.', import.meta.url));
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
};

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);

afterEach(() => vi.unstubAllEnvs());

live('a running machine', () => {
  test('does DMA with each device, and a reset brings the SMMU back', async () => {
    const machine = await QemuMachine.start(options);
    try {
      const [rocker, , edu] = machine.devices;
      if (rocker?.kind !== 'rocker' || edu?.kind !== 'edu') throw new Error('unexpected devices');
      machine.ram.write32(page, 0x1234_5678);
      rocker.rocker.run(4, page, 0);
      await machine.settle();
      expect(machine.ram.read32(page) >>> 0).toBe(~0x1234_5678 >>> 0);
      await edu.edu.read(page, 0, 8, 4);
      await edu.edu.write(page + 0x1000, 0, 8, 4);
      expect(machine.ram.read32(page + 0x1000) >>> 0).toBe(~0x1234_5678 >>> 0);

      machine.smmu.writeRegister(REGISTER.CR0, 9);
      expect(await machine.smmu.readRegister(REGISTER.CR0ACK)).toBe(9);
      await machine.reset();
      expect(await machine.smmu.readRegister(REGISTER.CR0ACK)).toBe(0);
      rocker.rocker.run(2, page, 0);
      await machine.settle();
      expect(machine.ram.read32(page) >>> 0).toBe(0x9696_9696);
    } finally {
      await machine.stop();
    }
  });

  test('a killed process rejects with its ending and leaves no file', async () => {
    const machine = await QemuMachine.start(options);
    const owed = machine.settle();
    process.kill(machine.process.pid as number, 'SIGABRT');
    // The answer may have come before the signal; what is asked next cannot be answered.
    await owed.catch(() => {});
    await expect(machine.process.qmp.event('NEVER')).rejects.toMatchObject({
      ending: { kind: 'crash', signal: 'SIGABRT' },
    });
    await expect(machine.settle()).rejects.toMatchObject({ ending: { kind: 'crash' } });
    await machine.stop();
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(`stalemate-${process.pid}-`))).toEqual([]);
  });

  test('a process that stops answering is hung: it is ended and the request is rejected', async () => {
    const machine = await QemuMachine.start({ ...options, millisecondsMax: 300 });
    const pid = machine.process.pid as number;
    process.kill(pid, 'SIGSTOP');
    await expect(machine.settle()).rejects.toMatchObject({ ending: { kind: 'hang', millisecondsMax: 300 } });
    await machine.stop();
    expect(alive(pid)).toBe(false);
  });

  test('a QEMU that refuses its options says so', async () => {
    await expect(QemuMachine.start({ ...options, ramBytes: 4096 * 3 })).rejects.toMatchObject({
      ending: { kind: 'exit' },
    });
  });

  for (const [how, ending] of [
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGTERM'],
    ['SIGKILL', 'SIGKILL'],
    ['an uncaught exception', undefined],
  ] as const)
    test(`no QEMU outlives us after ${how}`, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', survivorScript(ending === undefined)], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const over = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
      let pid = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        pid = Number(line);
        break;
      }
      expect(pid).toBeGreaterThan(0);
      if (ending !== undefined) child.kill(ending);
      expect(await over).toBe(ending ?? null);
      await vi.waitFor(() => expect(alive(pid)).toBe(false), 5000);
    });

  test('the doctor finds everything in order', async () => {
    const doctor = await examineQemu();
    expect(doctor.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(doctor).toMatchObject({ usable: true, remedy: [] });
  });
});

describe('without QEMU', () => {
  test('the doctor names what is missing and the commands that install it', async () => {
    vi.stubEnv('QEMU_ARM', 'no-such-qemu');
    const doctor = await examineQemu();
    expect(doctor).toMatchObject({ usable: false, checks: [{ name: 'binary', ok: false }] });
    expect(doctor.remedy.join('\n')).toContain(
      'apt-get install -y --no-install-recommends -t bookworm-backports qemu-system-arm',
    );
    await expect(QemuMachine.start(options)).rejects.toThrow(QemuMissing);
  });

  test('a binary that is not QEMU is told apart from a missing one', async () => {
    vi.stubEnv('QEMU_ARM', '/bin/false');
    expect((await examineQemu()).checks.at(-1)).toMatchObject({ name: 'version', ok: false });
  });
});
