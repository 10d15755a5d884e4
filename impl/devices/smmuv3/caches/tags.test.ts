import { describe, expect, it } from 'vitest';
import { Iotlb, iotlbFill } from './iotlb.ts';
import { Tags } from './tags.ts';
import { TranslationTags, WORLD } from './translation-tags.ts';

describe('Tags', () => {
  it('gives a context another id after each invalidation of it, of its space and of its group', () => {
    const tags = new Tags(2, 4, { contexts: 8 });
    const context = tags.intern(1, 3, 7);
    const ids = [tags.idOf(context)];
    for (const drop of [() => tags.dropContext(3, 7), () => tags.dropSpace(3), () => tags.dropGroup(1)]) {
      drop();
      expect(tags.isLive(ids.at(-1) as number)).toBe(false);
      ids.push(tags.idOf(context));
    }
    tags.dropContext(3, 6);
    tags.dropSpace(2);
    tags.dropGroup(0);
    expect(tags.idOf(context)).toBe(ids.at(-1));
    expect(new Set(ids).size).toBe(4);
    expect(tags.epoch).toBe(6);
  });

  it('tells its caches before it uses an id a second time', () => {
    const tags = new Tags(1, 1, { contexts: 2, generationBits: 2 });
    const forgotten: number[] = [];
    tags.attach({ forgetContext: (context) => forgotten.push(context) });
    const context = tags.intern(0, 0, 5);
    const first = tags.idOf(context);
    for (let drop = 0; drop < 2; drop++) {
      tags.dropContext(0, 5);
      expect(tags.idOf(context)).not.toBe(first);
      expect(forgotten).toEqual([]);
    }
    tags.dropContext(0, 5);
    expect(tags.idOf(context)).toBe(first);
    expect(forgotten).toEqual([context]);
  });

  it('takes the slot of a context that was not looked at, with another id', () => {
    const tags = new Tags(1, 1, { contexts: 2 });
    const [first, second] = [tags.intern(0, 0, 1), tags.intern(0, 0, 2)];
    const old = tags.idOf(first);
    expect(tags.intern(0, 0, 3)).toBe(first);
    expect(tags.isLive(old)).toBe(false);
    expect(tags.find(0, 1)).toBe(-1);
    expect(tags.find(0, 2)).toBe(second);
    const listed: number[] = [];
    for (let context = tags.first(0); context >= 0; context = tags.after(context)) listed.push(tags.codeAt(context));
    expect(listed.sort()).toEqual([2, 3]);
  });

  it('refuses sizes that are not powers of two', () => {
    expect(() => new Tags(1, 1, { contexts: 3 })).toThrow(RangeError);
    expect(() => new Tags(1, 1, { contexts: 4, generationBits: 0 })).toThrow(RangeError);
  });
});

describe('TranslationTags', () => {
  it('drops by ASID, VMID and world without a write to an entry, however many there are', () => {
    const tags = new TranslationTags({ contexts: 16 });
    const tlb = new Iotlb(tags, { sets: 256, ways: 4 });
    const fill = iotlbFill();
    for (let page = 0; page < 512; page++) {
      fill.addressLow = page << 12;
      fill.asid = page & 3;
      fill.vmid = (page >> 2) & 1;
      tlb.insert(fill);
    }
    const before = tlb.words.slice();
    expect(tlb.resident()).toBe(512);
    tags.dropAsid(WORLD.NS_EL1, 0, 1);
    expect(tlb.resident()).toBe(448);
    tags.dropVmid(1);
    expect(tlb.resident()).toBe(192);
    tags.dropWorld(WORLD.NS_EL1);
    expect(tlb.resident()).toBe(0);
    expect(tlb.words).toEqual(before);
  });
});
