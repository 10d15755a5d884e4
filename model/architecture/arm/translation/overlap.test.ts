import { describe, expect, it } from 'vitest';
import { TG0 as TG } from '../layout/cd.ts';
import { AP, levelShift, STAGE1_LEAF } from '../layout/descriptor.ts';
import type { FieldValues } from '../layout/layout.ts';
import { attach, leafLanes, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;

const va = (values: Record<string, number> = {}): number[] => tlbi('TLBI_NH_VA', { ASID: 5, Address: X, ...values });

describe('contiguous runs', () => {
  const contiguous: FieldValues<typeof STAGE1_LEAF> = { Contiguous: 1 };

  it('let one descriptor speak for all', () => {
    const { world, bottom } = attach([X, 0x5000, 0x1_0000]);
    world.map(bottom, X, G + X, contiguous);
    // The run is of 16 pages: 0x5000 is in it, though its own descriptor is invalid; 0x10000 is not.
    expect([world.see(1), world.see(2)]).toEqual([['f10', '→405000'], ['f10']]);
    world.map(bottom, X);
    world.sync(va({ Address: 0x5000, Leaf: 1 }));
    expect([world.see(0), world.see(1)]).toEqual([['f10', '→401000'], ['f10']]);
  });

  it('lie at a multiple of their size, and so do their addresses', () => {
    const { world, bottom } = attach([0xf000, 0x1_0000, 0x1_5000, 0x1_f000, 0x2_0000]);
    world.map(bottom, 0x1_5000, G + 0x3_5000, contiguous);
    const seen = [0, 1, 2, 3, 4].map((slot) => world.see(slot));
    expect(seen).toEqual([['f10'], ['f10', '→430000'], ['→435000'], ['f10', '→43f000'], ['f10']]);
  });

  it('of blocks are of blocks, whichever page of them is meant', () => {
    const [first, second, beyond] = [0x260_3000, 0x3e0_4000, 0x400_0000];
    const { world, middle } = attach([first, second, beyond]);
    world.map(middle, first, 0x860_0000, contiguous, 2);
    expect([world.see(0), world.see(1), world.see(2)]).toEqual([['→8603000'], ['f10', '→9e04000'], ['f10']]);
    world.map(middle, first, undefined, {}, 2);
    world.sync(va({ Address: 0x3e0_0000, Leaf: 1 }));
    expect([world.see(0), world.see(1)]).toEqual([['f10', '→8603000'], ['f10']]);
  });

  it.each([
    [12, 3, 16, 43],
    [12, 2, 16, 34],
    [14, 3, 128, 39],
    [14, 2, 32, 28],
    [16, 3, 32, 35],
    [16, 2, 32, 22],
  ] as const)('with granule 2^%i at level %i are of %i entries', (granule, level, entries, T0SZ) => {
    const bytes = 2 ** levelShift(granule, level);
    const first = entries * bytes;
    const slots = [first, 2 * first - bytes, 2 * first].map((at) => ({ streamId: 1, substream: -1, va: at }));
    const world = new TestWorld(slots, { stt: true });
    // T0SZ is such that walks start at that level.
    const table = world.table();
    const pa = 64 * first;
    world.write(world.entry(table, first, level, granule), leafLanes(pa, contiguous, level));
    const TG0 = { 12: TG.GRANULE_4K, 14: TG.GRANULE_16K, 16: TG.GRANULE_64K }[granule];
    world.cd(1, { ASID: 5, TTB0: table, T0SZ, TG0 });
    world.ste(1);
    world.enable();
    const last = (pa + first - bytes).toString(16);
    expect([0, 1, 2].map((slot) => world.see(slot))).toEqual([[`→${pa.toString(16)}`], ['f10', `→${last}`], ['f10']]);
  });

  it('are no runs without the Contiguous bit', () => {
    const { world, bottom } = attach([X, 0x5000]);
    world.map(bottom, X, G + X);
    expect([world.see(0), world.see(1)]).toEqual([['→401000'], ['f10']]);
  });

  it('are dropped page by page, or with the descriptor that was read', () => {
    const { world, bottom } = attach([X, 0x5000]);
    world.map(bottom, X, G + X, contiguous);
    world.map(bottom, X);
    world.sync(va({ Leaf: 1 }));
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10']]);
  });

  it('never conflict with themselves', () => {
    const { world, bottom } = attach([X, 0x2000], {}, { bbml: 0 });
    for (const page of [X, 0x2000]) world.map(bottom, page, G + page, contiguous);
    for (const page of [X, 0x2000]) world.map(bottom, page, G + page);
    expect(world.see()).toEqual(['f10', '→401000'].slice(1));
  });
});

describe('a change of size without break-before-make', () => {
  const sizes = (bbml: 0 | 1 | 2, nT: boolean): string[] => {
    const { world, middle, bottom } = attach([X], {}, { bbml });
    world.map(bottom, X, 0x60_1000);
    const [low, high] = leafLanes(0x60_0000, {}, 2) as [number, number];
    world.word(world.entry(middle, X, 2), low | (nT ? 0x1_0000 : 0), high);
    return world.see();
  };

  it.each([
    [0, false, true],
    [0, true, true],
    [1, false, true],
    [1, true, false],
    [2, false, false],
  ] as const)('BBML %i, nT %s: conflict %s', (bbml, nT, conflict) => {
    expect(sizes(bbml, nT).includes('f20')).toBe(conflict);
  });

  it('conflicts if the address changes, but not if only permissions do', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.map(bottom, X, G, { AP: AP.ANY_RO });
    expect(world.see()).not.toContain('f20');
    world.map(bottom, X, G + 0x1000);
    expect(world.see()).toContain('f20');
  });

  it('conflicts if memory attributes or globality change', () => {
    for (const values of [{ AttrIndx: 1 }, { nG: 0 }]) {
      const { world, bottom } = attach([X]);
      world.map(bottom, X, G);
      world.map(bottom, X, G, values);
      expect(world.see()).toContain('f20');
    }
  });
});
