import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HarnessError } from '../../engine/failure.ts';
import { arbitraryOf } from './arbitrary.ts';
import { canonical } from './deal.ts';
import type { Generator } from './draw.ts';
import { countAll, exhaust } from './exhaust.ts';

/** Lists of up to three words of two letters each. */
const words: Generator<string[]> = (draw) =>
  draw.list(
    0,
    3,
    () =>
      `${'abc'[draw.below(3)] ?? ''}${draw.weighted([
        [1, 'x'],
        [2, 'y'],
        [0, 'z'],
      ])}`,
  );

/** Sets of numbers below n, each set once: a number that is not greater than the one before makes a duplicate. */
const sets =
  (n: number): Generator<number[]> =>
  (draw) => {
    let last = -1;
    return draw.list(0, n, () => {
      const next = draw.below(n);
      if (next <= last) draw.duplicate();
      return (last = next);
    });
  };

describe('exhausting a generator', () => {
  test('gives every value once, what has weight 0 too', () => {
    const all = [...exhaust(words)].map((list) => list.join());
    expect(all).toHaveLength(1 + 9 + 9 ** 2 + 9 ** 3);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toContain('cz,az,bx');
  });

  test('leaves out duplicates', () => {
    expect([...exhaust(sets(3))]).toEqual([[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]);
    expect(countAll(sets(8))).toBe(2 ** 8);
  });

  test('of a constant gives it', () => {
    expect([...exhaust(() => 7)]).toEqual([7]);
  });

  test('notices a generator that depends on more than its choices', () => {
    let calls = 0;
    expect(() => countAll((draw) => [draw.below(2), draw.below(2 + calls++)])).toThrow(HarnessError);
  });
});

describe('a generator as an arbitrary', () => {
  const arbitrary = arbitraryOf(words);
  const all = new Set([...exhaust(words)].map((list) => list.join()));

  property.prop([arbitrary])('gives only what can be drawn, and nothing of weight 0', (list) => {
    expect(all).toContain(list.join());
    expect(list.join()).not.toContain('z');
  });

  test('goes on after a duplicate', () => {
    const drawn = fc.sample(arbitraryOf(sets(4)), { numRuns: 200, seed: 1 });
    expect(drawn.some((list) => list.some((value, at) => value <= (list[at - 1] ?? -1)))).toBe(true);
  });

  test('takes options by weight', () => {
    const drawn = fc.sample(arbitrary, { numRuns: 4_000, seed: 1 }).flat();
    const share = drawn.filter((word) => word.endsWith('y')).length / drawn.length;
    expect(share).toBeGreaterThan(0.63);
    expect(share).toBeLessThan(0.7);
  });

  test('shrinks to the least value that fails', () => {
    const smallest = (fails: (list: string[]) => boolean): unknown => {
      const { counterexample } = fc.check(
        fc.property(arbitrary, (list) => !fails(list)),
        { numRuns: 1_000, seed: 3 },
      );
      return counterexample?.[0];
    };
    expect(smallest((list) => list.includes('by'))).toEqual(['by']);
    expect(smallest((list) => list.length >= 2)).toEqual(['ax', 'ax']);
    expect(smallest((list) => list.filter((word) => word > 'b').length >= 2)).toEqual(['bx', 'bx']);
  });

  test('refuses options that all have weight 0', () => {
    expect(() =>
      fc.sample(
        arbitraryOf((draw) => draw.weighted([[0, 1]])),
        1,
      ),
    ).toThrow(/every option has weight 0/);
    expect(() => countAll((draw) => draw.below(0))).toThrow(/nothing to choose from/);
  });
});

test('programs that differ in the names of their CPUs have one deal in common', () => {
  const deal = (...lists: string[]) => ({
    agents: lists.map((list, index) => ({ name: `CPU${index}`, operations: [...list].map((op) => ({ op })) })),
  });
  expect(canonical(deal('b', '', 'ca', 'a'))).toEqual(deal('ca', 'a', 'b'));
  expect(canonical(deal('a', 'ca', 'b'))).toEqual(deal('ca', 'a', 'b'));
});
