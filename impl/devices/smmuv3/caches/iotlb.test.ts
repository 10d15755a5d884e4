import { describe, expect, it } from 'vitest';
import { Iotlb, iotlbFill, STAGES, type IotlbFill } from './iotlb.ts';
import type { AddressRange } from './entry.ts';
import { TranslationTags, WORLD } from './translation-tags.ts';

function range(over: Partial<AddressRange>): AddressRange {
  return { firstPage: 0, pages: 1, leaf: true, granule: 0, level: 0, ...over };
}

function world(): { tags: TranslationTags; tlb: Iotlb; insert: (over: Partial<IotlbFill>) => number } {
  const tags = new TranslationTags({ contexts: 16, vmidBits: 8 });
  const tlb = new Iotlb(tags, { sets: 16, ways: 4 });
  return { tags, tlb, insert: (over) => tlb.insert({ ...iotlbFill(), ...over }) };
}

describe('Iotlb', () => {
  it('finds a page of the top half under its tag, and tells its output address', () => {
    const { tlb, insert } = world();
    insert({ vmid: 3, asid: 7, addressLow: 0x2000, addressHigh: -1, outputLow: 0x8000_5000 | 0, outputHigh: 0xa });
    const entry = tlb.lookup(WORLD.NS_EL1, 3, 7, 0, 0x2abc, -1);
    expect(tlb.output(entry, 0x2abc, -1)).toBe(0xa_8000_5abc);
    for (const [w, vmid, asid, aset, low, high] of [
      [1, 3, 7, 0, 0x2abc, -1],
      [0, 2, 7, 0, 0x2abc, -1],
      [0, 3, 6, 0, 0x2abc, -1],
      [0, 3, 7, 1, 0x2abc, -1],
      [0, 3, 7, 0, 0x3abc, -1],
      [0, 3, 7, 0, 0x2abc, -2],
    ] as const)
      expect(tlb.lookup(w, vmid, asid, aset, low, high)).toBe(-1);
  });

  it('serves every ASID of the VMID and ASET from a global entry, which goes by address but not by ASID', () => {
    const { tags, tlb, insert } = world();
    insert({ asid: 1, global: true, addressLow: 0x5000 });
    tags.dropAsid(WORLD.NS_EL1, 0, 1);
    expect(tlb.lookup(WORLD.NS_EL1, 0, 2, 0, 0x5000, 0)).not.toBe(-1);
    expect(tlb.lookup(WORLD.NS_EL1, 0, 2, 1, 0x5000, 0)).toBe(-1);
    tlb.dropVa(WORLD.NS_EL1, 0, 9, range({ firstPage: 5 }));
    expect(tlb.lookup(WORLD.NS_EL1, 0, 2, 0, 0x5000, 0)).toBe(-1);
  });

  it('drops what was splintered from a block by an address anywhere in the block', () => {
    const { tlb, insert } = world();
    insert({ stages: STAGES.COMBINED, addressLow: 0x20_3000, shift: 12, sourceShift: 21, level: 2 });
    tlb.dropVa(WORLD.NS_EL1, 0, 0, range({ firstPage: 0x1ff }));
    expect(tlb.resident()).toBe(1);
    tlb.dropVa(WORLD.NS_EL1, 0, 0, range({ firstPage: 0x3ff, level: 3, granule: 12 }));
    expect(tlb.resident()).toBe(1);
    tlb.dropVa(WORLD.NS_EL1, 0, 0, range({ firstPage: 0x3ff, level: 2, granule: 12 }));
    expect(tlb.resident()).toBe(0);
  });
});
