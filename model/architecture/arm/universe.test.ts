import { describe, expect, it } from 'vitest';
import { ADDRESS_PAGES, canonicalPage, indexUniverse } from './universe.ts';

const slot = (streamId: number, va: number, substream = -1): { streamId: number; substream: number; va: number } => ({
  streamId,
  substream,
  va,
});

describe('the universe', () => {
  it('has each address and each context once', () => {
    const universe = indexUniverse({ slots: [slot(1, 0x1000), slot(2, 0x1000), slot(1, 0x2000), slot(1, 0x1000, 0)] });
    expect(universe.addresses.map(({ slots }) => slots)).toEqual([[0, 1, 3], [2]]);
    expect(universe.contexts.map(({ slots }) => slots)).toEqual([[0, 2], [1], [3]]);
    expect(universe.streamIds).toEqual([1, 2]);
  });

  it('knows the half and the canonical form of an address exactly', () => {
    const top = 2 ** 64 - 0x1000;
    const tagged = 0x12 * 2 ** 56 + 0x3000;
    const [high, low] = indexUniverse({ slots: [slot(1, top), slot(1, tagged)] }).addresses;
    expect(high).toMatchObject({ page: ADDRESS_PAGES - 1, canonicalPage: ADDRESS_PAGES - 1, region: 1 });
    expect(low).toMatchObject({ page: tagged / 4096, canonicalPage: 3, region: 0 });
    expect(canonicalPage((0x12 * 2 ** 56 + 2 ** 55) / 4096)).toBe(ADDRESS_PAGES - 2 ** 44 + 2 ** 43);
  });

  it.each([0x800, -0x1000, 2 ** 64, Number.NaN])('refuses the address %s', (va) => {
    expect(() => indexUniverse({ slots: [slot(1, va)] })).toThrow(RangeError);
  });
});
