import { describe, expect, it } from 'vitest';
import { TranslationTags, WORLD } from './translation-tags.ts';
import { TABLE, WalkCache, walkFill, type WalkFill } from './walk-cache.ts';

function world(): { tags: TranslationTags; cache: WalkCache; insert: (over: Partial<WalkFill>) => number } {
  const tags = new TranslationTags({ contexts: 8 });
  const cache = new WalkCache(tags, { sets: 8, ways: 2 });
  return { tags, cache, insert: (over) => cache.insert({ ...walkFill(), ...over }) };
}

describe('WalkCache', () => {
  it('gives the deepest table on the way, and what is known of it', () => {
    const { cache, insert } = world();
    insert({ asid: 3, shift: 39, level: 0, tableLow: 0x1000, tableHigh: 2 });
    insert({ asid: 3, shift: 30, level: 1, tableLow: 0x2000, table: TABLE.COMBINED, permissions: 5, granule: 12 });
    const deep = cache.lookup(WORLD.NS_EL1, 0, 3, 0, 0x3fff_f000, 0);
    expect([cache.table(deep), cache.level(deep), cache.granule(deep), cache.permissions(deep)]).toEqual([
      0x2000, 1, 12, 5,
    ]);
    expect(cache.tableKind(deep)).toBe(TABLE.COMBINED);
    const high = cache.lookup(WORLD.NS_EL1, 0, 3, 0, 0x4000_0000, 0);
    expect([cache.table(high), cache.tableKind(high)]).toEqual([0x2_0000_1000, TABLE.ONE_STAGE]);
    expect(cache.lookup(WORLD.NS_EL1, 0, 3, 0, 0, 0x80)).toBe(-1);
  });

  it('loses tables to invalidations that are not restricted to the last level', () => {
    const { cache, insert } = world();
    insert({ shift: 21, level: 2 });
    insert({ shift: 21, level: 2, stage2: true });
    const range = { firstPage: 0x1ff, pages: 1, leaf: true, granule: 0, level: 0 };
    cache.dropVa(WORLD.NS_EL1, 0, 0, range);
    expect(cache.resident()).toBe(2);
    cache.dropVa(WORLD.NS_EL1, 0, 0, { ...range, leaf: false });
    expect(cache.lookup(WORLD.NS_EL1, 0, 0, 0, 0, 0)).toBe(-1);
    expect(cache.lookupStage2(0, 0, 0)).not.toBe(-1);
    cache.dropIpa(0, { ...range, leaf: false });
    expect(cache.resident()).toBe(0);
  });
});
