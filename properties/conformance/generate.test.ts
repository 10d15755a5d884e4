import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import { programArbitrary } from './arbitrary.ts';
import { invalidationAddress, invalidationIpa } from './commands.ts';
import { conformanceFeatures } from './conformance-features.ts';
import { featureNames } from './features.ts';
import { programOfSeed } from './generate.ts';
import { isWellFormed } from './well-formed.ts';

describe('generated programs', () => {
  test('are the same for the same seed and differ between seeds', () => {
    expect(programOfSeed(7)).toEqual(programOfSeed(7));
    expect(programOfSeed(8)).not.toEqual(programOfSeed(7));
  });

  test('use every feature, and every kind of operation', () => {
    const programs = Array.from({ length: 300 }, (_, seed) => programOfSeed(seed));
    expect(new Set(programs.flatMap(({ features }) => features))).toEqual(new Set(featureNames));
    const kinds = new Set(programs.flatMap(({ operations }) => operations.map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual(
      [
        'access',
        'cd',
        'clear',
        'command',
        'enable',
        'leaf',
        'overflow',
        's2-clear',
        's2-leaf',
        's2-table',
        'ste',
        'stream-format',
        'stream-table',
        'table',
      ].sort(),
    );
  });

  test('use nothing that the device does not offer', () => {
    const poor = {
      ...conformanceFeatures,
      stage2: false,
      granules: [12],
      ril: false,
      had: false,
      stLevel: false,
    } as const;
    for (let seed = 0; seed < 200; seed++) {
      const { configuration, operations } = programOfSeed(seed, poor);
      expect(configuration.contexts.every(({ vmid, hierarchyDisabled }) => vmid === 0 && !hierarchyDisabled)).toBe(
        true,
      );
      expect(configuration.trees.every(({ granule }) => granule === 12)).toBe(true);
      expect(configuration.twoLevelStreams).toBe(false);
      for (const operation of operations)
        if (operation.kind === 'command' && 'alignBits' in operation.command && operation.command.range !== undefined)
          expect(operation.command.range).toMatchObject({ num: 0, scale: 0, level: 0 });
    }
  });

  property.prop([programArbitrary()])('are plain data, and stay well formed without any one operation', (program) => {
    expect(JSON.parse(JSON.stringify(program))).toEqual(program);
    expect(isWellFormed(program)).toBe(true);
    for (let at = 0; at < program.operations.length; at++) {
      const operations = program.operations.filter((_, index) => index !== at);
      expect(isWellFormed({ configuration: program.configuration, operations })).toBe(true);
    }
  });

  property.prop([programArbitrary()])('ask for no range that the architecture leaves UNPREDICTABLE', (program) => {
    for (const operation of program.operations) {
      if (operation.kind !== 'command' || !('alignBits' in operation.command)) continue;
      const { command } = operation;
      const { range } = command;
      if (range === undefined) continue;
      const granule = (range.granule * 2 + 10) as GranuleBits;
      // TTL 1 does not exist with 16 KiB.
      expect(granule === 14 && range.level === 1).toBe(false);
      const unit = range.level === 0 ? granule : levelShift(granule, range.level);
      const illegal = range.num === 0 && range.scale === 0 && range.level === 0;
      const { configuration } = program;
      const address =
        'half' in command ? invalidationAddress(configuration, command) : invalidationIpa(configuration, command);
      if (!illegal) expect(address % 2 ** unit).toBe(0);
    }
  });

  property.prop([programArbitrary()])('have no two contexts with one VMID and ASID', ({ configuration }) => {
    const pairs = configuration.contexts.map(({ vmid, asid }) => `${vmid}:${asid}`);
    expect(new Set(pairs).size).toBe(pairs.length);
  });

  property.prop([programArbitrary()])('give each guest a VMID of its own, which only its contexts have', (program) => {
    const { contexts, guests = [] } = program.configuration;
    const vmids = guests.map(({ vmid }) => vmid);
    expect(new Set(vmids).size).toBe(vmids.length);
    for (const { vmid, guest } of contexts) expect(vmids.indexOf(vmid)).toBe(guest ?? -1);
  });

  property.prop([programArbitrary()])('agree on global pages within a VMID: contexts share their trees', (program) => {
    if (!program.features.includes('globals')) return;
    const { contexts } = program.configuration;
    for (const { vmid } of contexts) {
      const lows = new Set(contexts.filter((context) => context.vmid === vmid).map(({ low }) => low));
      expect(lows.size).toBe(1);
    }
  });

  test('shrink by leaving out operations', () => {
    const arbitrary = programArbitrary();
    const [program] = fc.sample(arbitrary, { numRuns: 1, seed: 1 });
    if (program === undefined) throw new Error('no sample');
    const lengths = [...arbitrary.shrink(program, undefined)].map(({ value }) => value.operations.length);
    expect(Math.min(...lengths)).toBe(program.operations.length - (program.operations.length >> 1));
    expect(Math.max(...lengths)).toBe(program.operations.length - 1);
    expect(arbitrary.canShrinkWithoutContext(program)).toBe(true);
  });
});
