/** The corpus on devices: what the traces show there is for software to answer for, never for the device. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findQemuArm } from '../impl/qemu/index.ts';
import { endToEndFamilies } from '../properties/end-to-end/index.ts';
import { replayEndToEnd, type EndToEndTarget } from './end-to-end.ts';
import type { SoftwareTrace } from './format.ts';
import { loadTrace } from './load.ts';

/** Live tests are skipped where there is no QEMU, except in CI, where that is a failure. */
const live = describe.skipIf(findQemuArm() === undefined && process.env['CI'] === undefined);

const folder = join('traces', 'corpus');
const families = endToEndFamilies.map(({ family }) => family.name);
const corpus = readdirSync(folder)
  .map((file) => [file, loadTrace(join(folder, file))] as const)
  .filter((entry): entry is readonly [string, SoftwareTrace] => families.includes((entry[1] as SoftwareTrace).family));

async function verdict(trace: SoftwareTrace, target: EndToEndTarget): Promise<string> {
  const { result, alignment } = await replayEndToEnd(trace, target);
  if (result.verdict === 'not-possible') return 'not possible';
  expect(result.deviations).toEqual([]);
  expect(alignment?.misfit).toBeUndefined();
  return result.verdict;
}

test('there are traces of each family', () => {
  expect(new Set(corpus.map(([, { family }]) => family))).toEqual(new Set(families));
});

describe('on our device', () => {
  test.each(corpus)('%s', async (_, trace) => {
    expect(['violation', 'holds']).toContain(await verdict(trace, 'builtin'));
    const { hazard: _hazard, ...correct } = trace;
    const { result } = await replayEndToEnd(correct, 'builtin');
    expect(result).toMatchObject({ verdict: 'holds', deviations: [] });
  });
});

live('on QEMU', () => {
  test.each(corpus)(
    '%s',
    async (_, trace) => expect(['violation', 'holds', 'not possible']).toContain(await verdict(trace, 'qemu-smmuv3')),
    60_000,
  );
});
