/** Replay of software traces on a live device. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findQemuArm } from '../impl/qemu/index.ts';
import type { EndToEndObserved } from '../properties/end-to-end/index.ts';
import { families } from '../properties/index.ts';
import { endToEndReport } from '../traces/report/end-to-end.ts';
import { exitCode, type ExitCode } from './exit.ts';
import { run } from './run.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);
afterEach(() => vi.unstubAllEnvs());

const corpus = (hazard: string): string => join('traces', 'corpus', `asid-${hazard}.json`);

interface Ran {
  readonly code: ExitCode;
  readonly text: string;
  readonly warnings: string;
  readonly events: readonly Record<string, unknown>[];
}

async function replay(file: string, ...options: string[]): Promise<Ran> {
  const printed: string[] = [];
  const warnings: string[] = [];
  const events: Record<string, unknown>[] = [];
  const terminal = {
    json: options.includes('--json'),
    colour: false,
    print: (text: string) => void printed.push(text),
    event: (event: Readonly<Record<string, unknown>>) =>
      void events.push(JSON.parse(JSON.stringify(event)) as Record<string, unknown>),
    progress: () => undefined,
    warn: (text: string) => void warnings.push(text),
  };
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    warnings.push(String(text));
    return true;
  });
  try {
    const line = ['replay', file, '--target', 'qemu-smmuv3', ...options];
    const code = await run(line, families, { makeTerminal: () => terminal });
    return { code, text: printed.join('\n'), warnings: warnings.join('\n'), events };
  } finally {
    write.mockRestore();
  }
}

live('replay --target qemu-smmuv3 of a software trace', () => {
  test('reproduces a mistake that this device shows, and holds without it', async () => {
    const bad = await replay(corpus('fq-iova-reuse'));
    expect(bad.code).toBe(exitCode.violation);
    expect(bad.text).toMatch(/✗ dev0 0x400000 → G\d/);
    expect(bad.text).toMatch(/✗ Reproduced as translation\/stale-translation .* by a DMA after step \d+ on QEMU/);
    expect(bad.events).toMatchObject([{ event: 'replayed', verdict: 'violation', deviations: [] }]);
    const good = await replay(corpus('fq-iova-reuse'), '--hazard', 'none');
    expect(good.code).toBe(exitCode.holds);
    expect(good.text).toMatch(/✓ Holds on QEMU .*no SMMU with its features can do otherwise/);
  });

  test('says that another SMMU may show what this one does not', async () => {
    const { code, text } = await replay(corpus('pgtable-free-before-flush'));
    expect(code).toBe(exitCode.holds);
    expect(text).toMatch(/✓ Holds on QEMU .*\n {2}Another SMMU .* may show tables\/table-free-in-use after step \d+/);
  });

  test('refuses what the device does not have, with the reason', async () => {
    const { code, warnings } = await replay(corpus('share-asid-cd-first'));
    expect(code).toBe(exitCode.usage);
    expect(warnings).toMatch(/cannot run on qemu-smmuv3: it needs SubstreamIDs for bind/);
  });
});

test('what cannot be replayed is refused with the reason', async () => {
  const step = await replay(corpus('fq-iova-reuse'), '--step');
  expect(step.code).toBe(exitCode.usage);
  expect(step.warnings).toMatch(/--step walks through a trace on the architecture/);
  const hazard = await replay(corpus('fq-iova-reuse'), '--hazard', 'fq-iova-reus');
  expect(hazard.code).toBe(exitCode.usage);
  expect(hazard.warnings).toMatch(/Did you mean fq-iova-reuse/);
});

live('a trace that was edited', () => {
  test('is refused with the reason', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stalemate-edited-'));
    const file = join(folder, 'edited.json');
    const text = readFileSync(corpus('fq-iova-reuse'), 'utf8');
    writeFileSync(file, text.replaceAll('"dmaUnmap"', '"dmaUnmpa"'));
    const { code, warnings } = await replay(file);
    rmSync(folder, { recursive: true });
    expect(code).toBe(exitCode.usage);
    expect(warnings).toMatch(/program cannot be run: family asid has no operation "dmaUnmpa"/);
  });
});

test('without QEMU: says how to get it', async () => {
  vi.stubEnv('QEMU_ARM', '/nonexistent/qemu');
  const { code, warnings } = await replay(corpus('fq-iova-reuse'));
  expect(code).toBe(exitCode.harness);
  expect(warnings).toMatch(/no usable \/nonexistent\/qemu found.*stalemate doctor/);
});

test('a report tells what changed, each device that has one result on one line, and marks the access that failed', () => {
  const fault = { kind: 'fault', event: 0x10 } as const;
  const first = { device: 'dev0', iova: 0x1000, reached: { kind: 'page', pa: 0x5000_0000 } } as const;
  const others = [
    { device: 'dev0', iova: 0x2000, reached: fault },
    { device: 'dev1', iova: 0x1000, reached: { kind: 'abort' } },
    { device: 'dev1', iova: 0x2000, reached: { kind: 'abort' } },
  ] as const;
  const failure = { monitor: 'translation', rule: 'stale-translation', message: 'G0 can still be reached.' };
  const result: EndToEndObserved = {
    verdict: 'violation',
    version: 'QEMU emulator version 10.0.2',
    violation: { ...first, step: 2, failure },
    idleUntil: 0,
    commandsWait: false,
    steps: [
      { agent: '', operation: '', label: 'initial state', dma: [first, ...others] },
      { agent: 'CPU0', operation: 'unmap', label: 'PTE(0x1000) := 0', dma: [first, ...others] },
      { agent: 'CPU0', operation: 'unmap', label: 'return', dma: [first, ...others] },
    ],
    deviations: [],
    permitted: undefined,
    failure: undefined,
    misfit: undefined,
    accesses: 8,
    repetitions: 1,
  };
  expect(endToEndReport(result, false).split('\n').slice(2)).toEqual([
    '            software          DMA reaches',
    '   0        initial state     dev0 0x1000 → G0',
    '                              dev0 0x2000 → F_TRANSLATION',
    '                              dev1 → abort',
    '   1  CPU0  PTE(0x1000) := 0',
    '   2  CPU0  return            ✗ dev0 0x1000 → G0',
    '',
  ]);
});
