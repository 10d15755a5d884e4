import { fc, test } from '@fast-check/vitest';
import { readConfigureGlobal } from 'fast-check';
import { describe, expect } from 'vitest';
import { propertySeed } from './property-seed.ts';

describe('the seed of property tests', () => {
  test('is random, is fixed in continuous integration, and can be given', () => {
    expect(propertySeed({})).toBeUndefined();
    expect(propertySeed({ CI: '' })).toBeUndefined();
    expect(propertySeed({ CI: 'true' })).toBeTypeOf('number');
    expect(propertySeed({ CI: 'true', STALEMATE_TEST_SEED: '-7' })).toBe(-7);
    expect(propertySeed({ STALEMATE_TEST_SEED: '390271479' })).toBe(390_271_479);
  });

  test.each(['4294967296', '1.5', 'random'])('%s is refused', (given) => {
    expect(() => propertySeed({ STALEMATE_TEST_SEED: given })).toThrow(given);
  });

  const seed = propertySeed(process.env);

  test.prop([fc.nat()], { numRuns: 1 })('is taken by both ways to state a property', () => {
    expect(readConfigureGlobal().seed).toBe(seed);
    const { seed: taken } = fc.check(fc.property(fc.nat(), () => true));
    if (seed === undefined) return;
    expect(taken).toBe(seed);
    expect(expect.getState().currentTestName).toContain(`seed=${seed})`);
  });
});
