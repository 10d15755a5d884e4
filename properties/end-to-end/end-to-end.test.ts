import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Runner } from '../../engine/run.ts';
import { search } from '../../engine/search/search.ts';
import { randomWalk } from '../../engine/strategies/random-walk.ts';
import { findQemuArm, QemuMissing } from '../../impl/qemu/index.ts';
import { FULL_FEATURES } from '../../model/architecture/arm/layout/features.ts';
import { fuzz, type Found } from '../campaign.ts';
import type { Configuration, Litmus, Program } from '../family.ts';
import { minimise } from '../minimise/minimise.ts';
import { PLAIN } from '../asid/configuration.ts';
import { asidEndToEnd, asidWithoutSubstreams, whyNot } from '../asid/end-to-end.ts';
import { asid } from '../asid/index.ts';
import type { Hardware } from './hardware.ts';
import { replayOnTarget } from './index.ts';
import { agrees, type Reached } from './outcome.ts';
import type { EndToEndObserved } from './result.ts';
import { replayOn, type EndToEndRun } from './run.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);
const features = { ...FULL_FEATURES, ssidSize: 0 };
const unmap = { op: 'unmap', domain: 0, page: 0 };

function programOf(...operations: Program['agents'][number]['operations'][number][]): Program {
  return { agents: [{ name: 'CPU0', operations }] };
}

async function observed(run: EndToEndRun): Promise<EndToEndObserved> {
  const result = await replayOnTarget('qemu-smmuv3', asidEndToEnd, run);
  if (result.verdict === 'not-possible') throw new Error(`not possible: it ${result.reason}`);
  return result;
}

/** Process ids of the QEMUs that this process has started. */
function qemuChildren(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  return children
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu'))
    .map(Number);
}

/** The shortest schedule under which the architecture notices a hazard in its litmus, and that litmus. */
function failing(hazard: string): { litmus: Litmus; schedule: readonly number[] } {
  const litmus = asid.litmus.find(
    ({ hazards, configuration, program }) =>
      hazards.includes(hazard) && whyNot({ ...PLAIN, ...configuration }, program, features) === undefined,
  );
  if (litmus === undefined) throw new Error(`no litmus of ${hazard} does without SubstreamIDs`);
  const world = asid.world(litmus.configuration, hazard);
  const { schedule } = search(world.load(litmus.program), { order: 'bfs', statesMax: 1_000_000 });
  return { litmus, schedule: schedule ?? [] };
}

describe('what cannot run on a device', () => {
  test.each<[string, Configuration, Program, RegExp]>([
    ['a process bound at the start', { bound: true }, programOf(unmap), /SubstreamIDs for a process bound/],
    ['bind', {}, programOf({ op: 'bind', process: 0, device: 0 }), /SubstreamIDs for bind\(mm0, dev0\)/],
    ['unbind', {}, programOf({ op: 'unbind', process: 0, device: 0 }), /SubstreamIDs for unbind/],
    ['DMA with a PASID', {}, programOf({ op: 'dma', device: 0, page: 0, process: 0 }), /SubstreamIDs for DMA/],
  ])('%s', (_, configuration, program, reason) => {
    expect(whyNot({ ...PLAIN, ...configuration }, program, features)).toMatch(reason);
  });

  test('what the SMMU does not have', () => {
    const program = programOf(unmap, { op: 'dma', device: 0, page: 0, process: -1 });
    expect(whyNot(PLAIN, program, features)).toBeUndefined();
    expect(whyNot(PLAIN, program, { ...features, ril: false })).toMatch(/range invalidation/);
    expect(whyNot({ ...PLAIN, ril: false }, program, { ...features, ril: false })).toBeUndefined();
    expect(whyNot(PLAIN, program, { ...features, granules: [16] })).toMatch(/4 KiB/);
  });

  test('the family without it has operations of all other kinds', () => {
    const configurations = fc.sample(asidWithoutSubstreams.configurations, { numRuns: 30, seed: 1 });
    const programs = configurations.flatMap((configuration) =>
      fc.sample(asidWithoutSubstreams.programs(configuration), { numRuns: 10, seed: 2 }),
    );
    const kinds = new Set(
      programs.flatMap(({ agents }) => agents.flatMap(({ operations }) => operations.map(({ op }) => op))),
    );
    expect(kinds).toContain('unmapTable');
    expect(kinds).toContain('dma');
    expect(kinds).not.toContain('bind');
    for (const [at, program] of programs.entries())
      expect(whyNot({ ...PLAIN, ...configurations[Math.floor(at / 10)] }, program, features)).toBeUndefined();
  });
});

test('a device agrees with the architecture if it does one of the things permitted', () => {
  const record = [1, 2];
  const place = { stage: 1, class: 2, ipa: 0 } as const;
  const fault = { kind: 'fault', event: 16, fetchAddress: 0, ...place, aborted: true, stalled: false, record } as const;
  const page = { kind: 'translation', pa: 0x5000_0000, attributes: 0 } as const;
  expect(agrees({ kind: 'page', pa: 0x5000_0000 }, page)).toBe(true);
  expect(agrees({ kind: 'page', pa: 0x5000_1000 }, page)).toBe(false);
  expect(agrees({ kind: 'abort' }, page)).toBe(false);
  expect(agrees({ kind: 'fault', event: 16 }, fault)).toBe(true);
  expect(agrees({ kind: 'fault', event: 19 }, fault)).toBe(false);
  expect(agrees({ kind: 'abort' }, fault)).toBe(false);
  expect(agrees({ kind: 'abort' }, { ...fault, record: undefined })).toBe(true);
  expect(agrees({ kind: 'bypass' }, { kind: 'bypass', pa: 0 })).toBe(true);
  expect(agrees({ kind: 'bypass' }, { kind: 'abort' })).toBe(false);
  expect(agrees({ kind: 'bypass' }, { kind: 'unpredictable' })).toBe(true);
});

describe('on hardware that is wrong', () => {
  const hardware = (reached: Reached, consumed: number): Hardware => ({
    version: 'made of wood',
    features,
    boot: () => Promise.resolve(undefined),
    apply: () => Promise.resolve(consumed === 2 ? undefined : { error: 1, consumed, prod: 2 }),
    concatenatedTables: true,
    commandsCanWait: false,
    privileged: true,
    dma: ({ substream }) => Promise.resolve(substream < 0 ? reached : undefined),
    stop: () => Promise.resolve(),
  });
  const run = { configuration: PLAIN, program: programOf(unmap), schedule: [] };

  test('what the architecture does not permit is held against the device, not the software', async () => {
    const result = await replayOn(asidEndToEnd, run, hardware({ kind: 'page', pa: 0x5000_3000 }, 2));
    expect(result).toMatchObject({ verdict: 'deviation', version: 'made of wood', violation: undefined });
    if (result.verdict === 'not-possible') return;
    expect(result.deviations[0]).toEqual({
      step: 0,
      message: 'A write by dev0 to 0x1000 came to G3; permitted: G0.',
    });
    expect(result.deviations.map(({ message }) => message)).toContain(
      'A write by dev1 to 0x2000 came to G3; permitted: abort.',
    );
  });

  test('so is a command queue that stops', async () => {
    const result = await replayOn(asidEndToEnd, run, hardware({ kind: 'bypass' }, 1));
    if (result.verdict === 'not-possible') throw new Error(result.reason);
    expect(result.deviations.map(({ message }) => message)).toContain(
      'The command queue stopped at index 1 of 2 (CMDQ_CONS.ERR 1).',
    );
  });
});

live('on a live QEMU', () => {
  test.each([
    ['fq-iova-reuse', 'stale-translation'],
    ['fq-finish-stamp', 'stale-translation'],
    ['fq-counter-compare', 'stale-translation'],
    ['smmu-cd-no-break', 'wrong-address-space'],
    ['smmu-attach-publish-late', 'stale-translation'],
  ])('%s lets a DMA reach a page that it must not; the correct kernel does not', async (hazard, rule) => {
    const { litmus, schedule } = failing(hazard);
    const run = { configuration: litmus.configuration, program: litmus.program, schedule };
    const bad = await observed({ ...run, hazard });
    expect(bad).toMatchObject({ verdict: 'violation', misfit: undefined, deviations: [] });
    expect(bad.violation?.failure).toMatchObject({ monitor: 'translation', rule });
    expect(bad.violation?.reached).toMatchObject({ kind: 'page' });
    const good = await observed(run);
    expect(good).toMatchObject({ verdict: 'holds', violation: undefined, failure: undefined, deviations: [] });
    expect(good.repetitions).toBeGreaterThan(1);
  });

  test('devices reach what the software has mapped, and nothing else, from the boot on', async () => {
    const { steps } = await observed({ configuration: PLAIN, program: programOf(unmap), schedule: [] });
    expect(steps[0]?.dma.map(({ device, iova, reached }) => [device, iova, reached])).toEqual([
      ['dev0', 0x1000, { kind: 'page', pa: 0x5000_0000 }],
      ['dev0', 0x2000, { kind: 'fault', event: 0x10 }],
      ['dev1', 0x1000, { kind: 'abort' }],
      ['dev1', 0x2000, { kind: 'abort' }],
    ]);
    expect(steps.at(-1)?.label).toBe('return');
    expect(steps.at(-1)?.dma[0]?.reached).toEqual({ kind: 'fault', event: 0x10 });
    const kept = steps.findIndex(({ label }) => label.startsWith('PTE(0x1000) := 0'));
    // The entry is gone, but it has not been invalidated yet.
    expect(steps[kept]?.dma[0]?.reached).toEqual({ kind: 'page', pa: 0x5000_0000 });
  });

  test('a device without a domain bypasses the SMMU where that is configured', async () => {
    const run = { configuration: { ...PLAIN, bypass: true, masters: 0 }, program: programOf(unmap), schedule: [] };
    const { steps, verdict } = await observed(run);
    expect(steps[0]?.dma.map(({ reached }) => reached.kind)).toEqual(['bypass', 'bypass', 'bypass', 'bypass']);
    expect(verdict).toBe('holds');
  });

  test('a schedule that does not fit is left where it does not', async () => {
    const result = await observed({ configuration: PLAIN, program: programOf(unmap), schedule: [0, 0, 1] });
    expect(result).toMatchObject({ verdict: 'holds', misfit: 2 });
    expect(result.steps.at(-1)?.label).toBe('return');
  });

  test('a mistake found unguided and minimised shows on the device too', async () => {
    const all: Found[] = [];
    const onFound = (found: Found): 'stop' | 'continue' => {
      if (found.failure.rule !== 'stale-translation') return 'continue';
      all.push(found);
      return 'stop';
    };
    const hazard = 'asid-free-before-flush';
    await fuzz(asidWithoutSubstreams, { hazard, seed: 1, seconds: 60, onFound });
    const small = await minimise(asid, all[0] as Found, { seconds: 30 });
    const result = await observed(small);
    expect(result.violation?.failure).toMatchObject({ monitor: 'translation', rule: 'stale-translation' });
    expect(result).toMatchObject({ verdict: 'violation', deviations: [], misfit: undefined });
    const correct = await observed({ ...small, hazard: undefined });
    expect(correct).toMatchObject({ verdict: 'holds', deviations: [] });
  });

  test('the correct kernel holds under random programs and schedules', async () => {
    const configurations = fc.sample(asidWithoutSubstreams.configurations, { numRuns: 12, seed: 7 });
    for (const [seed, configuration] of configurations.entries()) {
      const [program] = fc.sample(asidWithoutSubstreams.programs(configuration), { numRuns: 1, seed });
      if (program === undefined) continue;
      const runner = new Runner(asid.world(configuration).load(program));
      runner.run(randomWalk(), seed);
      const schedule = [...runner.schedule.subarray(0, runner.steps)];
      const result = await observed({ configuration, program, schedule });
      expect(result, JSON.stringify({ configuration, program, schedule })).toMatchObject({
        verdict: 'holds',
        misfit: undefined,
        failure: undefined,
      });
    }
  });

  test('a QEMU that ends meanwhile is told of, as what it is', async () => {
    const schedule = (): number[] => {
      for (const pid of qemuChildren()) process.kill(pid, 'SIGKILL');
      return [];
    };
    const ended = replayOnTarget('qemu-smmuv3', asidEndToEnd, {
      configuration: PLAIN,
      program: programOf(unmap),
      schedule,
    });
    await expect(ended).rejects.toMatchObject({ name: 'QemuGone', ending: { kind: 'crash', signal: 'SIGKILL' } });
  });

  test('the same run gives the same result', async () => {
    const { litmus, schedule } = failing('smmu-attach-publish-late');
    const run = { ...litmus, schedule, hazard: 'smmu-attach-publish-late' };
    expect(await observed(run)).toEqual(await observed(run));
  });

  test('SVA is refused with the reason', async () => {
    const program = programOf({ op: 'bind', process: 0, device: 0 });
    const result = await replayOnTarget('qemu-smmuv3', asidEndToEnd, { configuration: PLAIN, program, schedule: [] });
    expect(result).toMatchObject({ verdict: 'not-possible', reason: expect.stringMatching(/IDR1.SSIDSIZE is 0/) });
  });
});

test('no QEMU: says so', async () => {
  vi.stubEnv('QEMU_ARM', '/nonexistent/qemu');
  await expect(
    replayOnTarget('qemu-smmuv3', asidEndToEnd, { configuration: PLAIN, program: programOf(unmap), schedule: [] }),
  ).rejects.toThrow(QemuMissing);
  vi.unstubAllEnvs();
});
