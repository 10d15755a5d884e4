import { describe, expect, it } from 'vitest';
import { cfgi, tlbi, SYNC, TestWorld } from './testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;
const slot = { streamId: 1, substream: -1, va: X };

/** Stream 1 with ASID 5, X mapped to G. */
function attached(asid = 5, features = {}): { world: TestWorld; bottom: number; middle: number; top: number } {
  const world = new TestWorld([slot], features);
  const tables = world.tree(X);
  world.map(tables.bottom, X, G);
  world.cd(1, { ASID: asid, TTB0: tables.top });
  world.ste(1);
  world.enable();
  return { world, ...tables };
}

describe('the ASID reassignment race', () => {
  it('finds the stale translation with neither a switch nor a DMA: the new ASID is invalidated', () => {
    const { world, bottom } = attached();
    expect(world.see()).toEqual(['→400000']);
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 6, Address: X, Leaf: 1 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    expect(world.smmu.asidInUse(5)).toBeDefined();
    const [, hit] = world.smmu.outcomes(0);
    expect(world.smmu.outcomes(0).length).toBe(2);
    expect(hit).toBeDefined();
    const stale = world.smmu.outcomes(0).find((outcome) => outcome.kind === 'translation');
    expect(stale && world.smmu.explain(0, stale)[0]?.text).toBe(
      `(ASID 5, 0x1000 → 0x400000), walked through the table at 0x${bottom.toString(16)}`,
    );
  });

  it('passes the fix: both ASIDs are invalidated', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(
      tlbi('TLBI_NH_VA', { ASID: 6, Address: X, Leaf: 1 }),
      tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }),
    );
    expect(world.see()).toEqual(['f10']);
  });

  it('keeps both tags while the CD changes, and the old one until it is invalidated', () => {
    const { world, bottom, top } = attached();
    world.cd(1, { ASID: 6, TTB0: top });
    expect(world.smmu.asidInUse(5)?.kind).toBe('configuration');
    expect(world.smmu.asidInUse(6)?.kind).toBe('configuration');
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    expect(world.smmu.asidInUse(5)?.kind).toBe('translation');
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }));
    expect(world.smmu.asidInUse(5)).toBeUndefined();
    expect(world.see()).toEqual(['f10', '→400000']);
  });
});

describe('invalidation in two phases', () => {
  it('permits the old until a CMD_SYNC has been seen to complete', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.complete();
    expect(world.see()).toEqual(['f10', '→400000']);
    world.issue(SYNC);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it('revives what a walk that begins after the invalidation would read', () => {
    const { world } = attached();
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['→400000']);
    expect(world.smmu.asidInUse(5)).toBeDefined();
  });

  it('does not revive by a write after the invalidation what the write removed', () => {
    const { world, bottom } = attached();
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.map(bottom, X);
    world.complete();
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('keeps several CMD_SYNC apart', () => {
    const { world, bottom } = attached();
    world.map(bottom, X, G + 0x1000);
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    const first = world.prod;
    world.map(bottom, X);
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.smmu.completeCommands(first);
    expect(world.see()).toEqual(['f10', '→401000']);
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it('covers walks in flight: what is read through a doomed table goes with it', () => {
    const { world, bottom, middle } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ALL'));
    world.link(middle, X, 2);
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: X }), SYNC);
    expect(world.smmu.tableHeld(bottom, 4096)?.doomed).toBe(true);
    // The table is used again too early; a walk that began before may read it.
    world.map(bottom, X, 0x66_6000);
    expect(world.see()).toContain('→666000');
    world.complete();
    expect(world.see()).toEqual(['f10']);
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
  });

  it('does not cover what a walk leaves for an address that it does not mean', () => {
    const { world, bottom, middle } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ALL'));
    world.link(middle, X, 2);
    // The first command means another address of the same table; the second means the leaf, but not the table.
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x2000 }));
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }));
    world.map(bottom, X, G);
    world.sync();
    expect(world.smmu.tableHeld(bottom, 4096)).toBeUndefined();
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('revives what is read through a table whose invalidation does not mean it', () => {
    const { world, middle } = attached();
    world.link(middle, X, 2);
    // The table goes with the first command; until then it may lead to the leaf again, which the second one means.
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x2000 }));
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: X, Leaf: 1 }));
    expect(world.see()).toEqual(['f10']);
  });

  it('revives tables from the top, in whatever order they were found', () => {
    const { world, middle } = attached();
    const top = world.table();
    world.link(top, X, 1, middle);
    world.replaceCd(1, { ASID: 5, TTB0: top });
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['→400000']);
    expect(world.smmu.heldTranslations()).toHaveLength(3);
  });

  it('does not keep a table that was never linked, nor a fault', () => {
    const { world, bottom } = attached();
    const unlinked = world.table();
    world.map(unlinked, X, 0x66_6000);
    expect(world.smmu.tableHeld(unlinked, 4096)).toBeUndefined();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ALL'));
    world.map(bottom, X, G);
    expect(world.see()).toEqual(['→400000']);
  });

  it('steps back exactly', () => {
    const { world, bottom } = attached();
    const mark = world.store.mark();
    const set = world.smmu.outcomeSet(0);
    const before = world.store.cells.slice();
    world.map(bottom, X);
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.complete();
    world.cd(1, { ASID: 9, TTB0: bottom });
    world.enable(false);
    expect(world.see()).toEqual(['bypass']);
    expect(world.smmu.outcomeSet(0)).not.toBe(set);
    world.store.rollback(mark);
    expect(world.smmu.outcomeSet(0)).toBe(set);
    expect(world.store.cells.every((value, cell) => value === before[cell])).toBe(true);
    expect(world.see()).toEqual(['→400000']);
  });
});
