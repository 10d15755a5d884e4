import { test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { programArbitrary } from './arbitrary.ts';
import { compact } from './compact.ts';
import { conformanceFeatures } from './conformance-features.ts';
import type { Deviation } from './deviation.ts';
import { follow } from './follow.ts';
import { programOfSeed } from './generate.ts';
import { minimise } from './minimise.ts';
import type { Operation } from './operation.ts';
import { Oracle } from './oracle.ts';
import type { ConformanceProgram } from './program.ts';
import { simplerConfigurations, simplerOperations } from './simplify.ts';
import { isWellFormed } from './well-formed.ts';
import { inputAddress, streamIdOf } from './world.ts';

const at = (operation: number): Deviation => ({
  operation,
  part: 'write',
  difference: 'allowed',
  found: 'access',
  expected: ['F_TRANSLATION'],
  answer: '',
  permitted: [],
});

/** A probe for programs that contain an operation of some kind; it sees every candidate. */
const contains = (wanted: (operation: Operation) => boolean, seen: ConformanceProgram[] = []) => {
  return (program: ConformanceProgram): Promise<Deviation | undefined> => {
    seen.push(program);
    const index = program.operations.findIndex(wanted);
    return Promise.resolve(index < 0 ? undefined : at(index));
  };
};

/** The first program from a seed on that contains such an operation. */
const programWith = (wanted: (operation: Operation) => boolean): ConformanceProgram => {
  for (let seed = 0; ; seed++) {
    const program = programOfSeed(seed);
    if (program.operations.some(wanted)) return program;
  }
};

describe('minimising', () => {
  const tagged = (operation: Operation): boolean => operation.kind === 'access' && operation.tag !== undefined;
  const ranged = (operation: Operation): boolean =>
    operation.kind === 'command' && 'alignBits' in operation.command && (operation.command.range?.scale ?? 0) > 0;

  for (const [name, wanted] of [
    ['an access with a tag', tagged],
    ['a range invalidation', ranged],
    ['a reset of the stream table', ({ kind }: Operation) => kind === 'stream-format'],
  ] as const)
    test(`leaves ${name} alone, in the plainest configuration`, async () => {
      const seen: ConformanceProgram[] = [];
      const original = programWith(wanted);
      const { program, deviation, minimal } = await minimise(
        original,
        at(original.operations.findIndex(wanted)),
        contains(wanted, seen),
      );
      expect(minimal).toBe(true);
      expect(program.operations).toHaveLength(1);
      expect(deviation.operation).toBe(0);
      expect(program.configuration.trees).toEqual([{ granule: 12, inputBits: 39, half: 0 }]);
      expect(program.configuration).toMatchObject({ devices: [0], shortStreamTable: false, recordBadStreamId: true });
      expect(program.configuration.pages).toHaveLength(1);
      // No candidate is run twice, and none names what is not there.
      expect(new Set(seen.map((candidate) => JSON.stringify(candidate))).size).toBe(seen.length);
      expect(seen.every(isWellFormed)).toBe(true);
    });

  test('says so when its budget runs out', async () => {
    const original = programWith(tagged);
    const first = original.operations.findIndex(tagged);
    const result = await minimise(original, at(first), contains(tagged), 5);
    expect(result).toMatchObject({ runs: 5, minimal: false });
  });

  test('gives back what cannot be made smaller', async () => {
    const original = programOfSeed(3);
    const { program } = await minimise(original, at(original.operations.length - 1), () => Promise.resolve(undefined));
    expect(program.operations).toEqual(original.operations);
  });
});

property.prop([programArbitrary()], { numRuns: 40 })('what is simpler is different', (program) => {
  const { configuration, operations } = program;
  for (const operation of operations) {
    const device = operation.kind === 'access' ? (configuration.devices[operation.stream] ?? 0) : 0;
    for (const simpler of simplerOperations(operation, device)) expect(simpler).not.toEqual(operation);
  }
  for (const simpler of simplerConfigurations(program)) expect(simpler.configuration).not.toEqual(configuration);
});

/** What the architecture permits to each access of a program, but for addresses of tables. */
const permittedBy = (program: ConformanceProgram): unknown[] => {
  const { configuration, operations } = program;
  const oracle = new Oracle(program, conformanceFeatures);
  const found: unknown[] = [];
  for (const operation of operations) {
    follow(oracle, configuration, operation);
    if (operation.kind !== 'access') continue;
    const streamId = streamIdOf(configuration.devices[operation.stream] as number);
    const permitted = oracle.permitted(streamId, inputAddress(configuration, operation), 'write');
    found.push(new Set(permitted?.map((one) => JSON.stringify({ ...one, fetchAddress: 0 }))));
  }
  return found;
};

property.prop([programArbitrary()], { numRuns: 60 })(
  'leaving out what no operation names changes nothing that is permitted',
  (program) => {
    // The tables of a guest move, and what stage 2 maps by blocks for one thing serves what moves into it.
    if (program.configuration.guests !== undefined) return;
    expect(permittedBy(compact(program))).toEqual(permittedBy(program));
  },
);
