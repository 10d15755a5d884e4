/** Replay of software traces on our device and on a live one. */
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

const corpus = (hazard: string, family = 'asid'): string => join('traces', 'corpus', `${family}-${hazard}.json`);

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
    const target = options.includes('--target') ? [] : ['--target', 'qemu-smmuv3'];
    const line = ['replay', file, ...target, ...options];
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

live('replay --target qemu-smmuv3 of a trace with two stages', () => {
  test('reproduces a mistake of a hypervisor, and holds without it', async () => {
    const bad = await replay(corpus('nested-detach-keeps-nh', 'smmu'));
    expect(bad.code).toBe(exitCode.violation);
    expect(bad.text).toMatch(/✗ Reproduced: translation\/stale-translation, by a DMA after step \d+ on QEMU/);
    const good = await replay(corpus('nested-detach-keeps-nh', 'smmu'), '--hazard', 'none');
    expect(good.code).toBe(exitCode.holds);
  });

  test('refuses ATS, with the reason', async () => {
    const { code, warnings } = await replay(corpus('smmu-atc-span', 'smmu'));
    expect(code).toBe(exitCode.usage);
    expect(warnings).toMatch(/cannot run on qemu-smmuv3: it needs ATS, and no device of QEMU/);
  });
});

describe('replay --target builtin of a software trace', () => {
  const builtin = ['--target', 'builtin'];

  test.each([
    ['asid', 'fq-iova-reuse', /✗ dev0 0x400000 → G\d/],
    ['asid', 'share-asid-cd-first', /dev0 mm0 → C_BAD_CD/],
    ['smmu', 'nested-detach-keeps-nh', /✗ dev0 0x\w+ → G\d/],
    ['smmu', 'smmu-atc-span', /✗ dev0 ATC 0x2000 → G1/],
    ['smmu', 'viommu-inv-no-sync', /leaves commands in their queue until software waits/],
  ])('%s: %s is reproduced, and does not come back without it', async (family, hazard, marked) => {
    const bad = await replay(corpus(hazard, family), ...builtin);
    expect(bad.code).toBe(exitCode.violation);
    expect(bad.text.replaceAll(/\s+/g, ' ')).toMatch(marked);
    expect(bad.text).toMatch(/✗ Reproduced.* by a DMA after step \d+ on built-in SMMUv3/);
    expect(bad.events).toMatchObject([{ event: 'replayed', target: 'builtin', verdict: 'violation', deviations: [] }]);
    const good = await replay(corpus(hazard, family), '--hazard', 'none', ...builtin);
    expect(good.code).toBe(exitCode.holds);
    expect(good.text).toMatch(/✓ Holds on built-in SMMUv3/);
  });

  test('says that another SMMU may show what this one does not', async () => {
    const { code, text } = await replay(corpus('pgtable-free-before-flush'), ...builtin);
    expect(code).toBe(exitCode.holds);
    expect(text).toMatch(
      /✓ Holds on built-in .*\n {2}Another SMMU .* may show tables\/table-free-in-use after step \d+/,
    );
  });

  test('refuses a family without devices, and a device that there is not', async () => {
    const entries = await replay(corpus('entry-no-break', 'entries'), ...builtin);
    expect(entries.code).toBe(exitCode.usage);
    expect(entries.warnings).toMatch(/cannot run on builtin: it is of the family entries; only .* asid and smmu/);
    const unknown = await replay(corpus('fq-iova-reuse'), '--target', 'quemu');
    expect(unknown.code).toBe(exitCode.usage);
    expect(unknown.warnings).toMatch(/no target for software "quemu".*Possible: architecture, builtin, qemu-smmuv3/);
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
