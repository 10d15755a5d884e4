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

  it('drops by IPA what has stage 2 alone, and what has both stages only if told to', () => {
    const { tlb, insert } = world();
    insert({ vmid: 1, stages: STAGES.STAGE2, addressLow: 0x7000 });
    insert({ vmid: 1, stages: STAGES.STAGE2, addressLow: 0x8000 });
    insert({ vmid: 1, stages: STAGES.COMBINED, addressLow: 0x7000 });
    insert({ vmid: 2, stages: STAGES.STAGE2, addressLow: 0x7000 });
    tlb.dropIpa(1, range({ firstPage: 7 }));
    expect(tlb.lookupStage2(1, 0x7000, 0)).toBe(-1);
    expect(tlb.stages(tlb.lookupStage2(1, 0x8000, 0))).toBe(STAGES.STAGE2);
    expect(tlb.stages(tlb.lookup(WORLD.NS_EL1, 1, 0, 0, 0x7000, 0))).toBe(STAGES.COMBINED);
    tlb.dropIpa(1, range({ firstPage: 7 }), true);
    expect(tlb.lookup(WORLD.NS_EL1, 1, 0, 0, 0x7000, 0)).toBe(-1);
    expect(tlb.resident()).toBe(2);
  });

  it('keeps what was used when a set is full', () => {
    const tags = new TranslationTags({ contexts: 2 });
    const tlb = new Iotlb(tags, { sets: 1, ways: 3 });
    const at = (page: number): number => tlb.lookup(WORLD.NS_EL1, 0, 0, 0, page << 12, 0);
    const fill = (page: number): number => tlb.insert({ ...iotlbFill(), addressLow: page << 12 });
    for (const page of [1, 2, 3, 4]) fill(page);
    // The fourth made all others old; of those, one is used again.
    const kept = [1, 2, 3].find((page) => at(page) >= 0) as number;
    fill(5);
    expect([at(kept), at(4), at(5)]).not.toContain(-1);
    expect(tlb.resident()).toBe(3);
  });

  it('never takes a VMID that is not implemented for a space of stage 2', () => {
    const { tags } = world();
    expect(tags.stage1(WORLD.NS_EL1, 0x105)).toBe(tags.stage1(WORLD.NS_EL1, 5));
    expect(
      new Set([tags.stage1(0, 0xff), tags.stage2(0), tags.stage2(0x1ff), tags.stage1(1, 0), tags.stage1(2, 0)]).size,
    ).toBe(5);
  });
});
