import { describe, expect, it } from 'vitest';
import { Random } from '../../../engine/random.ts';
import { BuiltinDevice } from '../builtin-device.ts';
import { programOfSeed } from '../generate.ts';
import { runInterleaved } from '../interleaved.ts';
import { runProgram } from '../runner.ts';
import { runWide } from '../wide.ts';
import { deviceHazards, type DeviceHazard } from './index.ts';

const programsMax = 3000;

/** Number of random programs until the check finds the mistake; undefined if it does not. */
async function programsToFind({ check, make }: DeviceHazard, seed: number): Promise<number | undefined> {
  const seeds = new Random(seed);
  const device = new BuiltinDevice({ make });
  for (let programs = 1; programs <= programsMax; programs++) {
    const programSeed = seeds.next();
    if (check === 'programs') {
      const result = await runProgram(programOfSeed(programSeed, device.features), device, { thorough: true });
      if (result.deviations.length > 0) return programs;
    } else {
      const run = check === 'wide' ? runWide(programSeed, make) : runInterleaved(programSeed, { make });
      if (run.difference !== undefined) return programs;
    }
  }
  return undefined;
}

describe('mistakes of devices are found by random programs', () => {
  it.each(deviceHazards.map((hazard) => [hazard.name, hazard] as const))(
    '%s',
    async (_, hazard) => {
      expect(await programsToFind(hazard, 1)).toBeDefined();
    },
    600_000,
  );
});
