/** The search on a live QEMU. Skipped where there is none, except in CI, where that is a failure. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import { fuzzConformance, replayConformance } from './index.ts';
import type { ConformanceFinding } from './index.ts';
import { programOfSeed } from './generate.ts';
import { QemuDevice } from './qemu-device.ts';
import { runProgram } from './runner.ts';

const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

/** Process ids of the QEMUs that this process has started. */
const children = (): number[] =>
  readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [, comm = '', parent = ''] = /\((.*)\) \S+ (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
      return comm.startsWith('qemu') && Number(parent) === process.pid ? [Number(name)] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });

live('QEMU', () => {
  test('deviates in several ways; each finding is minimal, names its rule, and replays', async () => {
    const summary = await fuzzConformance({ target: 'qemu-smmuv3', runs: 80, seed: 1 });
    expect(summary.findings.length).toBeGreaterThanOrEqual(8);
    expect(summary.statistics.vanished).toBe(0);
    expect(new Set(summary.findings.map(({ fingerprint }) => fingerprint)).size).toBe(summary.findings.length);
    for (const finding of summary.findings) {
      expect(finding.rule, finding.fingerprint).toBeDefined();
      expect(finding.minimal, finding.fingerprint).toBe(true);
      expect(finding.program.operations.length, finding.fingerprint).toBeLessThanOrEqual(
        finding.program.configuration.guests === undefined ? 13 : 26,
      );
    }
    const [first] = summary.findings;
    const saved = JSON.parse(JSON.stringify(first)) as ConformanceFinding;
    expect(await replayConformance(saved, 'qemu-smmuv3')).toMatchObject({ reproduced: true, version: summary.version });
    expect(await replayConformance(saved, 'architecture')).toMatchObject({ reproduced: false, deviation: undefined });
    expect(children()).toEqual([]);
  });

  test('does nothing that another process of the same binary does not do', async () => {
    const options = { target: 'qemu-smmuv3', runs: 40, seed: 4 } as const;
    const summary = await fuzzConformance(options, { binary: findQemuArm() ?? '' });
    expect(summary.findings).toEqual([]);
    expect(summary.version).toMatch(/^QEMU .* against QEMU /);
    expect(children()).toEqual([]);
  });

  test('does what our own device does not', async () => {
    const summary = await fuzzConformance({ target: 'builtin', runs: 40, seed: 1 }, 'qemu-smmuv3');
    expect(summary.findings.length).toBeGreaterThan(2);
    for (const { side, target, fingerprint } of summary.findings) {
      expect([side, target], fingerprint).toEqual(['second', 'qemu-smmuv3']);
      expect(fingerprint).toMatch(/ · only the second$/);
    }
  });

  test('that is missing is named', async () => {
    await expect(fuzzConformance({ target: 'builtin', runs: 1, seed: 1 }, { binary: '/nowhere/qemu' })).rejects.toThrow(
      '/nowhere/qemu',
    );
  });

  test('gives the same answers to the same program, after a soft start and after a reset', async () => {
    const device = await QemuDevice.start();
    try {
      for (let seed = 1; seed <= 40; seed++) {
        const program = programOfSeed(seed);
        const soft = await runProgram(program, device, { thorough: false });
        if (soft.lost) break;
        expect((await runProgram(program, device, { thorough: true })).deviations).toEqual(soft.deviations);
      }
    } finally {
      await device.stop();
    }
  });

  test('killed in mid-run is replaced; nothing is reported that does not come back', async () => {
    let killed = 0;
    const summary = await fuzzConformance({
      target: 'qemu-smmuv3',
      runs: 60,
      seed: 2,
      onFinding: () => {
        if (killed > 0) return;
        for (const pid of children()) process.kill(pid, 'SIGKILL');
        killed++;
      },
    });
    expect(killed).toBe(1);
    expect(summary.statistics.programs).toBe(60);
    expect(summary.statistics.restarts).toBeGreaterThan(0);
    expect(summary.findings.filter(({ fingerprint }) => fingerprint.includes('SIGKILL'))).toEqual([]);
    expect(children()).toEqual([]);
  });
});
