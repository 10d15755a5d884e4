/** The correct software holds on real devices, in every trace of every litmus test (or the first of very many). */
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import { everyTraceOn } from './every-trace.ts';
import { endToEndFamilies, startHardware, type EndToEndFamily, type EndToEndTarget } from './index.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);
/** Traces of one litmus test: on our device, and on QEMU, which takes its time. */
const tracesMax = { builtin: 12, 'qemu-smmuv3': 4 } as const;

const litmus = endToEndFamilies.flatMap((family) => family.family.litmus.map(({ id }) => [id, family] as const));

async function verdict(id: string, family: EndToEndFamily, target: EndToEndTarget): Promise<string> {
  const found = family.family.litmus.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no litmus ${id}`);
  const hardware = await startHardware(target, family, found.configuration);
  // Devices that are idle up to the middle, besides those that never are: the other moments have tests of their own.
  const idle = (changes: readonly number[]): readonly number[] => changes.slice(changes.length / 2).slice(0, 1);
  try {
    const result = await everyTraceOn(family, { ...found, idle }, hardware, tracesMax[target]);
    if (result.verdict !== 'bound') return result.verdict;
    return result.run >= tracesMax[target] - 1 ? 'holds' : `only ${result.run} traces`;
  } finally {
    await hardware.stop();
  }
}

describe('on our device', () => {
  test.each(litmus)('%s holds', async (id, family) => expect(await verdict(id, family, 'builtin')).toBe('holds'));
});

live('on QEMU', () => {
  test.each(litmus)(
    '%s holds, if it can run',
    async (id, family) => expect(['holds', 'not-possible']).toContain(await verdict(id, family, 'qemu-smmuv3')),
    60_000,
  );
});
