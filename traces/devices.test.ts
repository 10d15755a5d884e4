/** Deviations of devices that are worth keeping: each is right on our devices, and comes back on the QEMU that it is from. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findOnPath, qemuArmName, qemuVersion } from '../impl/qemu/index.ts';
import { replayDeviation, ruleOfTrace } from './conformance.ts';
import { loadTrace } from './load.ts';

const folder = 'traces/devices';
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const binary = findOnPath(qemuArmName());
const installed = binary === undefined ? undefined : qemuVersion(binary)?.text;

describe.each(files)('%s', (name) => {
  const trace = loadTrace(join(folder, name));
  if (trace.kind !== 'conformance') throw new Error('this folder holds deviations of devices');

  test('names a rule, and is minimal', () => {
    expect(ruleOfTrace(trace)).toBeDefined();
    expect(trace.minimal.operations).toBe('proved');
  });

  test.each(['architecture', 'builtin'] as const)('does not exist on the target %s', async (target) => {
    expect(await replayDeviation(trace, target)).toMatchObject({ reproduced: false, deviation: undefined });
  });

  test.skipIf(installed !== trace.targetVersion)('comes back on the QEMU that it is from', async () => {
    expect(await replayDeviation(trace, 'qemu-smmuv3')).toMatchObject({ reproduced: true });
  });
});
