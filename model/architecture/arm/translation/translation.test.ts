import { describe, expect, it } from 'vitest';
import { TG0, TG1 } from '../layout/cd.ts';
import { AP, type GranuleBits } from '../layout/descriptor.ts';
import { attach, cfgi, leafLanes, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;
const read = { write: false, privileged: true, instruction: false };

const va = (values: Record<string, number> = {}): number[] => tlbi('TLBI_NH_VA', { ASID: 5, Address: X, ...values });

describe('the walk', () => {
  it('faults at each level, and holds no fault', () => {
    const { world, top, middle, bottom } = attach([X]);
    world.map(bottom, X, G);
    expect(world.see()).toEqual(['→400000']);
    world.sync(va());
    for (const [table, level] of [
      [bottom, 3],
      [middle, 2],
      [top, 1],
    ] as const) {
      world.word(world.entry(table, X, level), 0, 0);
      world.sync(tlbi('TLBI_NH_ALL'));
      expect(world.see()).toEqual(['f10']);
    }
    expect(world.smmu.heldTranslations()).toEqual([]);
  });

  it('ends with F_WALK_EABT where a descriptor cannot be fetched', () => {
    const { world, middle } = attach([X]);
    world.link(middle, X, 2, 0x100_0000);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['fb']);
    expect(world.smmu.outcomes(0)[0]).toMatchObject({ fetchAddress: 0x100_0008 });
  });

  it('starts at any level, with any granule', () => {
    for (const [granule, T0SZ, levels] of [
      [12, 16, [0, 1, 2, 3]],
      [12, 34, [2, 3]],
      [14, 17, [1, 2, 3]],
      [14, 28, [2, 3]],
      [16, 22, [2, 3]],
      [16, 16, [1, 2, 3]],
    ] as [GranuleBits, number, number[]][]) {
      const world = new TestWorld([{ streamId: 1, substream: -1, va: 0x23_1000 }]);
      const tables = levels.map(() => world.table());
      for (const [at, level] of levels.entries()) {
        const entry = world.entry(tables[at] as number, 0x23_1000, level, granule);
        const next = tables[at + 1];
        world.write(entry, leafLanes(next ?? 0x40_0000, { Page: 1 }, level));
      }
      const codes = { 12: TG0.GRANULE_4K, 14: TG0.GRANULE_16K, 16: TG0.GRANULE_64K };
      world.cd(1, { ASID: 5, TTB0: tables[0] as number, T0SZ, TG0: codes[granule] });
      world.ste(1);
      world.enable();
      const offset = 0x23_1000 % 2 ** granule;
      expect(world.see()).toEqual([`→${(0x40_0000 + offset).toString(16)}`]);
    }
  });

  it('translates blocks', () => {
    const { world, middle, top } = attach([X, 0x1f_f000]);
    world.map(middle, X, 0x60_0000, {}, 2);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect([world.see(0), world.see(1)]).toEqual([['→601000'], ['→7ff000']]);
    world.map(top, X, 0x4000_0000, {}, 1);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see(1)).toEqual(['→401ff000']);
  });

  it('applies hierarchical permissions, unless HADx', () => {
    for (const [HAD0, expected] of [
      [0, false],
      [1, true],
    ] as const) {
      const { world, middle, bottom } = attach([X], { HAD0 });
      world.link(middle, X, 2, bottom, { APTable: 2 });
      world.map(bottom, X, G);
      world.sync(tlbi('TLBI_NH_ALL'));
      const results = world.smmu.outcomesFor(0, { ...read, write: true });
      expect(results.map(({ kind }) => kind)).toEqual([expected ? 'translation' : 'fault']);
    }
  });

  it('checks the access flag, the output size and the input range', () => {
    const { world, bottom } = attach([X, 2 ** 39], { IPS: 1 });
    world.map(bottom, X, G, { AF: 0 });
    expect(world.see()).toContain('f12');
    world.map(bottom, X, 2 ** 36);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['f11']);
    expect(world.see(1)).toEqual(['f10']);
  });
});

describe('the upper half', () => {
  const HIGH = 2 ** 64 - 2 ** 39 + X;

  it('is translated by TTB1', () => {
    const { world } = attach([X, HIGH]);
    expect(world.see(1)).toEqual(['f10']);
    const { top, bottom } = world.tree(X);
    world.map(bottom, X, 0x50_0000);
    world.cd(1, { ASID: 5, TTB0: 0, EPD0: 1, EPD1: 0, TTB1: top, TG1: TG1.GRANULE_4K });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }), tlbi('TLBI_NH_ALL'));
    world.sync(tlbi('TLBI_NH_ALL'));
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['→500000']]);
    world.map(bottom, X);
    world.sync(va({ Address: HIGH }));
    expect(world.see(1)).toEqual(['f10']);
  });

  it('begins at 2^64 - 2^(64 - T1SZ)', () => {
    const { world, top } = attach([2 ** 64 - 2 ** 40 + X]);
    world.cd(1, { ASID: 5, TTB0: top, EPD1: 0, TTB1: top });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.see()).toEqual(['f10']);
  });
});

describe('tagged addresses', () => {
  const TAGGED = 0x5a * 2 ** 56 + X;

  it('fault unless TBI', () => {
    const { world, bottom } = attach([TAGGED]);
    world.map(bottom, X, G);
    expect(world.see()).toEqual(['f10']);
  });

  it('are translated with TBI, and invalidated by the plain address', () => {
    const { world, bottom } = attach([X, TAGGED], { TBI0: 1 });
    world.map(bottom, X, G);
    expect([world.see(0), world.see(1)]).toEqual(
      [
        ['f10', '→400000'],
        ['f10', '→400000'],
      ].map(() => world.see(0)),
    );
    world.map(bottom, X);
    world.sync(va());
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10']]);
  });

  it('select TTB1 by bit 55', () => {
    const low = 0x80 * 2 ** 48 + X;
    const { world, top } = attach([low]);
    world.cd(1, { ASID: 5, TTB0: top, EPD1: 0, TBI1: 1, TTB1: top });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    // Bits [54:39] are zero although bit 55 is set: not within the upper range.
    expect(world.see()).toEqual(['f10']);
  });
});

describe('permissions', () => {
  it('are those of the held entry: a permission fault may be cached', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G, { AP: AP.ANY_RO });
    world.sync(tlbi('TLBI_NH_ALL'));
    const write = { ...read, write: true };
    expect(world.smmu.outcomesFor(0, write).map((result) => result.kind)).toEqual(['fault']);
    world.map(bottom, X, G);
    expect(
      world.smmu
        .outcomesFor(0, write)
        .map((result) => result.kind)
        .sort(),
    ).toEqual(['fault', 'translation']);
    world.sync(va({ Leaf: 1 }));
    expect(world.smmu.outcomesFor(0, write)).toEqual([{ kind: 'translation', pa: G, attributes: 0 }]);
  });
});

describe('what stays after an invalidation', () => {
  it('tables, after Leaf = 1', () => {
    const { world, middle, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.link(middle, X, 2);
    world.sync(va({ Leaf: 1 }));
    expect(world.smmu.tableHeld(bottom, 4096)?.kind).toBe('table');
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(va());
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
    expect(world.see()).toEqual(['f10']);
    // The page may be used for something else now.
    world.map(bottom, X, 0x66_6000);
    expect(world.see()).toEqual(['f10']);
  });

  it('entries of another address', () => {
    const { world, bottom } = attach([X, 0x2000]);
    world.map(bottom, X, G);
    world.map(bottom, 0x2000, G + 0x1000);
    world.map(bottom, X);
    world.map(bottom, 0x2000);
    world.sync(va());
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10', '→401000']]);
  });

  it('global entries, after NH_ASID; not after NH_VA of any ASID', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G, { nG: 0 });
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    expect(world.smmu.asidInUse(5)?.kind).toBe('configuration');
    world.sync(va({ ASID: 9 }));
    expect(world.see()).toEqual(['f10']);
  });

  it('entries of another VMID', () => {
    const { world, bottom } = attach([X]);
    world.ste(1, { S2VMID: 3 });
    world.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }), tlbi('TLBI_NSNH_ALL'));
    world.map(bottom, X, G);
    world.map(bottom, X);
    world.sync(va());
    expect(world.see()).toEqual(['f10', '→400000']);
    expect(world.smmu.asidInUse(5, 0)).toBeUndefined();
    world.sync(va({ VMID: 3 }));
    expect(world.see()).toEqual(['f10']);
  });

  it('everything, after CFGI', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.map(bottom, X);
    world.sync(cfgi('CFGI_STE', { StreamID: 1 }), cfgi('CFGI_CD_ALL', { StreamID: 1 }));
    expect(world.see()).toEqual(['f10', '→400000']);
  });
});

describe('tags', () => {
  it('let streams with one tag share entries', () => {
    const { world, bottom } = attach([X], {}, {}, 2);
    world.map(bottom, X, G);
    world.map(bottom, X);
    world.sync(va());
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10']]);
  });

  it('make a global entry of one ASID serve another, of the same ASET', () => {
    for (const [ASET, seen] of [
      [0, ['f10', '→400000']],
      [1, ['f10']],
    ] as const) {
      const { world, bottom } = attach([X], {}, {}, 2);
      const other = world.tree(X);
      world.cd(2, { ASID: 6, ASET, TTB0: other.top });
      world.sync(cfgi('CFGI_CD', { StreamID: 2, Leaf: 1 }), tlbi('TLBI_NH_ALL'));
      world.sync(tlbi('TLBI_NH_ALL'));
      world.map(bottom, X, G, { nG: 0 });
      expect(world.see(1)).toEqual(seen);
    }
  });

  it('keep entries of another ASID apart', () => {
    const { world, bottom } = attach([X], {}, {}, 2);
    const other = world.tree(X);
    world.replaceCd(2, { ASID: 6, TTB0: other.top });
    world.map(bottom, X, G);
    expect(world.see(1)).toEqual(['f10']);
  });

  it('find the old entries again when the ASID is used again', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G);
    const other = world.tree(X);
    world.clearCd(1);
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.see()).toEqual(['fa']);
    world.cd(1, { ASID: 5, TTB0: other.top });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.see()).toContain('→400000');
  });
});

describe('ranges', () => {
  it('clear exactly the pages named', () => {
    const pages = [0x1000, 0x2000, 0x3000, 0x4000];
    const { world, bottom } = attach(pages);
    for (const page of pages) world.map(bottom, page, G + page);
    for (const page of pages) world.map(bottom, page);
    world.sync(va({ TG: 1, Num: 1, Address: 0x2000, TTL: 3, Leaf: 1 }));
    expect(pages.map((_page, slot) => world.see(slot).length)).toEqual([2, 1, 1, 2]);
    world.sync(va({ TG: 1, Scale: 2, Address: 0x1000, TTL: 2, Leaf: 1 }));
    expect(world.see(0)).toHaveLength(2);
    world.sync(va({ TG: 3, Num: 1, Address: 0, Leaf: 1 }));
    expect(world.see(0)).toHaveLength(2);
  });
});

describe('EPDx', () => {
  it('permits hits, but no new walk', () => {
    const { world, top, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.cd(1, { ASID: 5, TTB0: top, EPD0: 1 });
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['f10']);
  });
});

describe('CD.R and CD.A', () => {
  it('decide how a fault ends', () => {
    for (const [A, R, recorded, aborted] of [
      [1, 1, true, true],
      [1, 0, false, true],
      [0, 1, true, false],
      [0, 0, false, false],
    ] as const) {
      const { world } = attach([X], { A, R });
      const [result] = world.smmu.outcomesFor(0, read);
      expect(result).toMatchObject({ kind: 'fault', aborted, stalled: false });
      expect(result?.kind === 'fault' && result.record !== undefined).toBe(recorded);
    }
  });
});
