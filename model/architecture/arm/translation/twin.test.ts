import { beforeEach, describe, expect, test } from 'vitest';
import { invalidationOf } from '../cpu/maintenance.ts';
import { cfgi, TestWorld, tlbi } from '../testing/world.ts';

const VA = 0x1000;
const PAGE = 0x40_0000;
const OLD = '→400000';

/** Streams 1 and 2 have one ASID, in the two sets; tables lead from the CD of stream 1 to the page, and none from the other. */
let world: TestWorld;
let tables: ReturnType<TestWorld['tree']>;
beforeEach(() => {
  world = new TestWorld(
    [1, 2].map((streamId) => ({ streamId, substream: -1, va: VA })),
    { btm: true },
  );
  tables = world.tree(VA);
  world.cd(1, { ASID: 5, TTB0: tables.top });
  for (const streamId of [1, 2]) world.ste(streamId);
  world.enable();
});

/** The CD of stream 2 is there, or not, and hardware knows. */
function useOther(used: boolean): void {
  if (used) world.replaceCd(2, { ASID: 5, ASET: 1, TTB0: world.table() });
  else {
    world.clearCd(2);
    world.sync(cfgi('CFGI_CD', { StreamID: 2, Leaf: 1 }));
    // Tables of its own set, which it has found on its way, would serve as well.
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
  }
}

/** A CPU broadcasts a TLBI by ASID, which the set with ASET = 1 does not hear. */
function broadcast(): void {
  world.smmu.dvm.invalidate(invalidationOf({ kind: 'ASIDE1', asid: 5 }), 0);
  world.smmu.dvm.complete(1);
}

describe('a walk of a CD goes on from a table descriptor of the other ASET (§3.17)', () => {
  test('and what it leaves is of its own set', () => {
    useOther(true);
    world.map(tables.bottom, VA, PAGE);
    world.map(tables.bottom, VA);
    broadcast();
    expect([world.see(0), world.see(1)]).toEqual([
      ['f10', OLD],
      ['f10', OLD],
    ]);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: VA, Leaf: 1 }));
    expect(world.see(0)).toEqual(['f10']);
  });

  test('also if that was cached before there was such a CD', () => {
    world.map(tables.bottom, VA, PAGE);
    useOther(true);
    world.map(tables.bottom, VA);
    broadcast();
    expect(world.see(1)).toEqual(['f10', OLD]);
  });

  test('also if that is cached only when the walks of its own set find it', () => {
    world.link(tables.top, VA, 1);
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
    useOther(true);
    world.map(tables.bottom, VA, PAGE);
    world.link(tables.top, VA, 1, tables.middle);
    world.map(tables.bottom, VA);
    broadcast();
    expect(world.see(1)).toEqual(['f10', OLD]);
  });

  test('and again whenever there is one', () => {
    useOther(true);
    useOther(false);
    world.map(tables.bottom, VA, PAGE);
    useOther(true);
    world.map(tables.bottom, VA);
    broadcast();
    expect(world.see(1)).toEqual(['f10', OLD]);
  });

  test('but not while there is none', () => {
    useOther(true);
    useOther(false);
    world.map(tables.bottom, VA, PAGE);
    world.map(tables.bottom, VA);
    broadcast();
    expect(world.see(0)).toEqual(['f10']);
  });

  test('nor when what it went on from has gone', () => {
    world.link(tables.middle, VA, 2);
    broadcast();
    useOther(true);
    world.map(tables.bottom, VA, PAGE);
    expect([world.see(0), world.see(1)]).toEqual([['f10'], ['f10']]);
  });
});
