import { describe, expect, it } from 'vitest';
import { Random } from '../../engine/random.ts';
import { SmmuV3Device } from '../../impl/devices/smmuv3/index.ts';
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { BuiltinDevice } from './builtin-device.ts';
import { conformanceFeatures } from './conformance-features.ts';
import { programOfSeed } from './generate.ts';
import { runProgram } from './runner.ts';
import { runWide } from './wide.ts';

/** Features that differ from those of QEMU, a few at a time. */
const swarm: readonly (readonly [string, Partial<SmmuFeatures>])[] = [
  ['as QEMU', {}],
  ['8-bit tags, no ranges, no HAD, no XNX', { asid16: false, vmid16: false, ril: false, had: false, xnx: false }],
  ['stage 1 alone', { stage2: false }],
  ['outputs of 36 bits', { oas: 36 }],
  ['outputs of 52 bits', { oas: 52 }],
  ['4 KiB alone', { granules: [12] }],
  ['64 KiB alone', { granules: [16] }],
  ['small tables', { stt: true }],
  ['conflicts, overrides, RAZ/WI', { bbml: 0, permissionOverride: true, termModel: false }],
  ['substreams and ATS beside', { ssidSize: 8, cd2l: true, ats: true, pri: true }],
  ['linear stream tables', { stLevel: false }],
];

describe('our device against the architecture', () => {
  it.each(swarm)('%s', async (_, changed) => {
    const features = { ...conformanceFeatures, ...changed };
    const device = new BuiltinDevice({ features });
    const seeds = new Random(7);
    for (let run = 0; run < 12; run++) {
      const seed = seeds.next();
      const { deviations } = await runProgram(programOfSeed(seed, features), device, { thorough: run % 4 === 0 });
      expect(deviations, `program ${seed}`).toEqual([]);
    }
  });

  it('substreams, two-level CD tables, privileges, ATS and ATCs', () => {
    const answers = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      const result = runWide(seed, (memory, options) => new SmmuV3Device(memory, options), 60);
      expect(result.difference, `seed ${seed}`).toBeUndefined();
      for (const answer of result.answers.keys()) answers.add(answer);
    }
    expect([...answers].sort()).toEqual(['abort', 'completer-abort', 'completion', 'fault', 'memory', 'unsupported']);
  });
});
