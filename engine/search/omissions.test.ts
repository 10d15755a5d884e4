import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../../bench/workloads/asid-share.ts';
import { mixHigh, mixLow } from '../hash.ts';
import { BitstateVisited } from './bitstate.ts';
import { CompactVisited } from './compact.ts';
import { search } from './search.ts';

const STATES = 144_021;
const system = (): ReturnType<typeof asidShare> => asidShare({ ...SIZES.M, locked: true });

describe('states that are not remembered in full', () => {
  test.each([
    ['compact', 'dfs'],
    ['compact', 'bfs'],
    ['bitstate', 'dfs'],
    ['bitstate', 'bfs'],
  ] as const)('%s, %s: with room, every state, but no claim that they are all', (visited, order) => {
    const result = search(system(), { order, visited, memoryMb: visited === 'compact' ? 4 : 64 });
    expect(result).toMatchObject({ verdict: 'bound', bound: 'memory' });
    expect(Math.abs(result.states - STATES)).toBeLessThanOrEqual(1 + 4 * (result.omissions?.expected ?? 0));
    expect(result.omissions?.probability).toBeGreaterThan(0);
    expect(result.omissions?.probability).toBeLessThan(0.01);
  });

  test('a failure is a failure', () => {
    const buggy = asidShare({ ...SIZES.S, locked: false });
    const result = search(buggy, { order: 'bfs', visited: 'bitstate', memoryMb: 1 });
    expect(result).toMatchObject({
      verdict: 'violation',
      schedule: { length: 15 },
      omissions: { bitsPerState: expect.any(Number) as number },
    });
  });

  test('a table that is full ends the search', () => {
    const small = search(asidShare({ ...SIZES.L, locked: true }), { order: 'dfs', visited: 'compact', memoryMb: 1 });
    expect(small).toMatchObject({ verdict: 'bound', bound: 'states', states: Math.floor(2 ** 18 * 0.9) });
  });

  test('too few bits: the estimate says about how many states were taken for others', () => {
    const bits = new BitstateVisited(1);
    const count = 1_000_000;
    for (let at = 0; at < count; at++) bits.visit(mixLow(at, 1), mixHigh(at, 1));
    const missed = count - bits.size;
    expect(missed).toBeGreaterThan(1000);
    // The estimate is made over the states taken in, the share is the same over all.
    const expected = (bits.omissions().expected * count) / bits.size;
    expect(Math.abs(missed - expected)).toBeLessThan(0.1 * missed);
    expect(bits.omissions()).toMatchObject({ probability: 1 });
    let again = 0;
    for (let at = 0; at < count; at++) again += Number(bits.visit(mixLow(at, 1), mixHigh(at, 1)));
    expect(again).toBe(0);
  });

  test('compact: what shares a home is kept apart, and what shares 32 bits and a home is not', () => {
    const table = new CompactVisited(1);
    expect([table.visit(5, 1), table.visit(5, 2), table.visit(5, 1), table.visit(6, 2)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(table.size).toBe(2);
    expect(table.visit(1 << 30, 0)).toBe(true);
    expect(table.omissions().expected).toBe(1 / 2 ** 32);
  });

  test.each([0, 5000, Number.NaN])('%d megabytes are refused', (memoryMb) => {
    expect(() => search(system(), { order: 'dfs', visited: 'compact', memoryMb })).toThrow(RangeError);
  });
});
