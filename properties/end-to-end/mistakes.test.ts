/** Random programs find mistakes, and blame whom they belong to: the software, or the device. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidEndToEnd } from '../asid/end-to-end.ts';
import { atcNotTold } from '../conformance/hazards/atc-not-told.ts';
import { cdKey } from '../conformance/hazards/cd-key.ts';
import { levelHint } from '../conformance/hazards/level-hint.ts';
import { PLAIN } from '../smmu/configuration.ts';
import { smmuEndToEnd, whyNot } from '../smmu/end-to-end.ts';
import { BuiltinHardware, type MakeDevice } from './builtin-hardware.ts';
import { EndToEnd, type EndToEndFamily, type EndToEndObserved } from './index.ts';
import { randomIdle, randomRuns, randomSchedule } from './random.ts';

/** Programs for each configuration, and configurations, after which a mistake counts as not found. */
const each = 8;
const configurations = 60;

/** The first run that does not hold. */
async function first(
  family: EndToEndFamily,
  { hazard, make }: { hazard?: string; make?: MakeDevice },
): Promise<EndToEndObserved | undefined> {
  for (const { configuration, runs } of fc.sample(randomRuns(family.family, each), {
    numRuns: configurations,
    seed: 3,
  })) {
    const hardware = new BuiltinHardware(family.features(configuration), make);
    const endToEnd = new EndToEnd(family, { configuration, hazard }, hardware);
    for (const { program, seed } of runs) {
      const result = await endToEnd.run(program, randomSchedule(seed), randomIdle(seed));
      if (result.verdict !== 'holds') return result;
    }
  }
  return undefined;
}

test.each([
  [cdKey.name, asidEndToEnd, cdKey.make],
  [levelHint.name, asidEndToEnd, levelHint.make],
  [levelHint.name, smmuEndToEnd, levelHint.make],
  [atcNotTold.name, smmuEndToEnd, atcNotTold.make],
])('%s: the device is blamed', async (_, family, make) => {
  const found = await first(family, { make });
  expect(found).toMatchObject({ verdict: 'deviation', violation: undefined });
  expect(found?.deviations[0]?.message).toMatch(/^A write by dev\d.* came to .*; permitted: /);
});

test.each([
  ['smmu-ste-torn', asidEndToEnd],
  ['s2-unmap-no-s1-clear', smmuEndToEnd],
  ['viommu-inv-vmid-rewrite', smmuEndToEnd],
  ['smmu-atc-not-flushed-on-replace', smmuEndToEnd],
])('%s: the software is blamed', async (hazard, family) => {
  const found = await first(family, { hazard });
  expect(found).toMatchObject({ verdict: 'violation', deviations: [] });
  const { expected } = family.family.hazards.find(({ id }) => id === hazard) ?? { expected: [] };
  expect(expected.map(({ rule }) => rule)).toContain(found?.violation?.failure.rule);
});

describe('what family smmu needs of a device', () => {
  const program = { agents: [{ name: 'CPU0', operations: [{ op: 'unmap', place: 1, page: 0 }] }] };
  const features = smmuEndToEnd.features({ ...PLAIN, ats: true });

  test.each([
    ['both stages', PLAIN, { stage2: false }, /both stages of translation.*QEMU has them from 9.2 on/],
    ['ATS', { ...PLAIN, ats: true }, { ats: false }, /ATS.*IDR0\.ATS is 0/],
    ['range invalidation', PLAIN, { ril: false }, /range invalidation/],
    ['pages of 4 KiB', PLAIN, { granules: [16] as const }, /4 KiB/],
  ])('%s', (_, configuration, missing, reason) => {
    expect(whyNot(configuration, program, features)).toBeUndefined();
    expect(whyNot(configuration, program, { ...features, ...missing })).toMatch(reason);
  });

  test('an operation that there is not is refused', () => {
    const unknown = { agents: [{ name: 'CPU0', operations: [{ op: 'unmpa' }] }] };
    expect(() => whyNot(PLAIN, unknown, features)).toThrow(/no operation "unmpa"/);
  });
});
