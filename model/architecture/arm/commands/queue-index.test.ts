import { describe, expect, it } from 'vitest';
import { consistentIndexes, entriesUsed, indexMask, queueLog2, slotOf } from './queue-index.ts';

describe('indexes of a queue (§3.5.1)', () => {
  it.each([
    [0, 0, 2, 0],
    [4, 0, 2, 4],
    [0, 4, 2, 4],
    [3, 1, 2, 2],
    [5, 3, 2, 2],
    [1, 7, 2, 2],
    [1, 0, 0, 1],
    [3, 2, 1, 1],
  ])('PROD %i, CONS %i in 2^%i entries: %i are used', (prod, cons, log2, used) => {
    expect(entriesUsed(prod, cons, log2)).toBe(used);
    expect(consistentIndexes(prod, cons, log2)).toBe(true);
  });

  it.each([
    [5, 0, 2],
    [0, 1, 2],
    [2, 5, 2],
  ])('PROD %i, CONS %i in 2^%i entries are inconsistent', (prod, cons, log2) => {
    expect(entriesUsed(prod, cons, log2)).toBe(-1);
    expect(consistentIndexes(prod, cons, log2)).toBe(false);
  });

  it('have a wrap bit above the place, and a size that is capped', () => {
    expect([indexMask(2), slotOf(5, 2), slotOf(1, 0), queueLog2(31), queueLog2(8)]).toEqual([7, 1, 0, 19, 8]);
  });
});
