import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixHigh, mixLow } from '../hash.ts';
import { Visited } from './visited.ts';

const lane = fc.oneof(fc.nat(3), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));

describe('Visited', () => {
  test('is a set of pairs of words', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(lane, lane), { maxLength: 200 }), (pairs) => {
        const visited = new Visited(4);
        // (0, 0) marks an empty slot, so it is kept as (0, 1).
        const model = new Set<string>();
        for (const [low, high] of pairs) {
          const key = low === 0 && high === 0 ? '0 1' : `${low} ${high}`;
          expect(visited.visit(low, high)).toBe(!model.has(key));
          model.add(key);
          expect(visited.size).toBe(model.size);
        }
      }),
    );
  });

  test('keeps everything as it grows, in place too', () => {
    const visited = new Visited();
    for (let round = 0; round < 2; round++)
      for (let at = 0; at < 1_300_000; at++)
        if (visited.visit(mixLow(at, 1), mixHigh(at, 1)) !== (round === 0)) throw new Error(`${at} in round ${round}`);
    expect(visited.size).toBe(1_300_000);
  });

  test('pairs that share a lane, or a slot, are kept apart', () => {
    const visited = new Visited(8);
    for (let at = 0; at < 1000; at++) expect([visited.visit(7, at), visited.visit(at + 8, 7)]).toEqual([true, true]);
    for (let at = 0; at < 1000; at++) expect([visited.visit(7, at), visited.visit(at + 8, 7)]).toEqual([false, false]);
    expect(visited.size).toBe(2000);
  });
});
