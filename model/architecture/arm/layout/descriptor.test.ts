import { describe, expect, it } from 'vitest';
import { bitsPerLevel, contiguousEntries, leafAllowed, levelShift, startLevel } from './descriptor.ts';

describe('geometry of translation tables', () => {
  it('resolves 9, 11 or 13 bits at each level', () => {
    expect([bitsPerLevel(12), bitsPerLevel(14), bitsPerLevel(16)]).toEqual([9, 11, 13]);
    expect([0, 1, 2, 3].map((level) => levelShift(12, level))).toEqual([39, 30, 21, 12]);
    expect([1, 2, 3].map((level) => levelShift(14, level))).toEqual([36, 25, 14]);
    expect([1, 2, 3].map((level) => levelShift(16, level))).toEqual([42, 29, 16]);
  });

  it('starts the walk where the input size needs it', () => {
    expect([48, 40, 39, 31, 30, 25].map((size) => startLevel(12, size))).toEqual([0, 0, 1, 1, 2, 2]);
    expect([48, 47, 36, 25].map((size) => startLevel(14, size))).toEqual([0, 1, 2, 3]);
    expect([48, 42, 29].map((size) => startLevel(16, size))).toEqual([1, 2, 3]);
  });

  it('allows blocks and contiguous runs where the architecture does', () => {
    expect([0, 1, 2, 3].map((level) => leafAllowed(12, level))).toEqual([false, true, true, true]);
    expect([0, 1, 2, 3].map((level) => leafAllowed(14, level))).toEqual([false, false, true, true]);
    expect([1, 2, 3].map((level) => contiguousEntries(12, level))).toEqual([16, 16, 16]);
    expect([1, 2, 3].map((level) => contiguousEntries(14, level))).toEqual([0, 32, 128]);
    expect([1, 2, 3].map((level) => contiguousEntries(16, level))).toEqual([0, 32, 32]);
  });
});
