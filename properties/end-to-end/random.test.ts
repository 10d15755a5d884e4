/** The correct software holds on real devices under random programs and schedules. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../../impl/qemu/index.ts';
import type { Family } from '../family.ts';
import { EndToEnd, endToEndFamilies, startHardware, type EndToEndFamily, type EndToEndTarget } from './index.ts';
import { randomIdle, randomRuns, randomSchedule, type RandomRuns } from './random.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

/** Runs programs, and counts how often a schedule was run. */
async function holds(family: EndToEndFamily, target: EndToEndTarget, { configuration, runs }: RandomRuns) {
  const hardware = await startHardware(target, family, configuration);
  let count = 0;
  try {
    const endToEnd = new EndToEnd(family, { configuration }, hardware);
    for (const { program, seed } of runs) {
      expect(family.whyNot(configuration, program, hardware.features)).toBeUndefined();
      const result = await endToEnd.run(program, randomSchedule(seed), randomIdle(seed));
      const { verdict, violation, deviations, misfit, failure } = result;
      expect({ verdict, violation, deviations, misfit, failure }).toEqual({ verdict: 'holds', deviations: [] });
      count += result.repetitions;
    }
  } finally {
    await hardware.stop();
  }
  return count;
}

async function everyRandom(family: EndToEndFamily, programs: Family, target: EndToEndTarget, numRuns: number) {
  let count = 0;
  const property = fc.asyncProperty(randomRuns(programs, 8), async (runs) => {
    count += await holds(family, target, runs);
  });
  await fc.assert(property, { numRuns, endOnFailure: true });
  return count;
}

const families = endToEndFamilies.map((family) => [family.family.name, family] as const);

describe('every DMA of random programs under random schedules is in the contract', () => {
  test.each(families)(
    'family %s on our device',
    async (_, family) => expect(await everyRandom(family, family.family, 'builtin', 120)).toBeGreaterThan(1000),
    120_000,
  );
});

live('every DMA of random programs under random schedules is in the contract', () => {
  test.each(families)(
    'family %s on QEMU',
    async (_, family) => expect(await everyRandom(family, family.onQemu, 'qemu-smmuv3', 10)).toBeGreaterThan(30),
    120_000,
  );
});
