import { describe, expect, it } from 'vitest';
import { AP } from '../layout/descriptor.ts';
import { attach, cfgi, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;
const va = (values: Record<string, number> = {}): number[] => tlbi('TLBI_NH_VA', { ASID: 5, Address: X, ...values });

describe('what a walk leaves behind', () => {
  it('is one thing, whatever bits without a meaning its descriptors have', () => {
    const { world, top, middle, bottom } = attach([X]);
    world.map(bottom, X, G);
    const held = world.smmu.heldTranslations();
    expect(held).toHaveLength(3);
    for (const [table, level] of [
      [top, 1],
      [middle, 2],
      [bottom, 3],
    ] as const) {
      const at = world.entry(table, X, level);
      // Bits [58:55] are for software.
      world.word(at, world.memory.low(at), world.memory.high(at) | (5 << 23));
      expect(world.smmu.heldTranslations()).toEqual(held);
    }
  });

  it('is found again when the memory is what it was', () => {
    const { world, bottom } = attach([X]);
    for (const pa of [G, G + 0x1000, G]) {
      world.map(bottom, X, pa);
      world.map(bottom, X);
      world.sync(va());
    }
    world.map(bottom, X, G);
    expect(world.smmu.heldTranslations()).toHaveLength(3);
    expect(world.see()).toEqual(['f10', '→400000'].slice(1));
  });

  it('is not counted by a command once it has gone', () => {
    const { world, middle, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.link(middle, X, 2);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.smmu.heldTranslations()).toHaveLength(1);
    world.issue(tlbi('TLBI_NH_ALL'));
    expect(world.smmu.coveredByLastCommands).toBe(1);
    world.issue(cfgi('CFGI_STE', { StreamID: 1 }));
    // Four words of the STE and three of the CD.
    expect(world.smmu.coveredByLastCommands).toBe(7);
  });

  it('is not counted by a second command while it is doomed', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.map(bottom, X);
    world.issue(va({ Leaf: 1 }));
    expect(world.smmu.coveredByLastCommands).toBe(1);
    world.issue(va({ Leaf: 1 }));
    expect(world.smmu.coveredByLastCommands).toBe(0);
  });
});

describe('a level hint', () => {
  it.each([
    [3, false],
    [2, true],
    [0, false],
  ])('of %i leaves the descriptor that leads to level 3: %s', (TTL, stays) => {
    const { world, middle, bottom } = attach([X]);
    world.link(middle, X, 2);
    world.sync(va({ TG: 1, TTL, Num: 1, Address: 0 }));
    expect(world.smmu.tableHeld(bottom, 4096) !== undefined).toBe(stays);
  });
});

describe('where walks start', () => {
  it('is told by the CD of the stream, although entries are shared by ASID', () => {
    const { world, bottom } = attach([X], {}, {}, 2);
    world.replaceCd(2, { ASID: 5, TTB0: world.table() });
    world.map(bottom, X, G);
    world.sync(tlbi('TLBI_NH_ALL'));
    // Stream 2 may hit what walks of stream 1 have left; that a walk of its own would fault is nothing to stream 1.
    expect([world.see(0), world.see(1)]).toEqual([['→400000'], ['f10', '→400000']]);
  });
});

describe('sets of outcomes', () => {
  it('are the same however they came about', () => {
    const slots = [1, 2].map((streamId) => ({ streamId, substream: -1, va: X }));
    const world = new TestWorld(slots);
    const bottoms = [1, 2].map((streamId) => {
      const { top, bottom } = world.tree(X);
      world.cd(streamId, { ASID: 5 + streamId, TTB0: top });
      world.ste(streamId);
      return bottom;
    }) as [number, number];
    world.enable();
    for (const pa of [G, 0x50_0000, 0x60_0000]) world.map(bottoms[0], X, pa);
    for (const pa of [0x60_0000, G, 0x50_0000]) world.map(bottoms[1], X, pa);
    for (const bottom of bottoms) world.map(bottom, X);
    expect(world.see(0)).toEqual(['f10', 'f20', '→400000', '→500000', '→600000']);
    expect(world.smmu.outcomeSet(1)).toBe(world.smmu.outcomeSet(0));
    expect(world.smmu.outcomes(1)).toBe(world.smmu.outcomes(0));
  });

  it('are dirty only if they have changed, and are named in order', () => {
    const { world, middle, bottom } = attach([X], {}, {}, 3);
    world.map(bottom, X, G);
    world.smmu.takeDirtySlots();
    const at = world.entry(bottom, X);
    world.word(at, world.memory.low(at), world.memory.high(at) | (1 << 23));
    expect(world.smmu.takeDirtySlots()).toEqual([]);
    world.clearCd(3);
    world.clearCd(1);
    expect(world.smmu.takeDirtySlots()).toEqual([0, 2]);
    world.link(middle, X, 2);
    expect(world.smmu.takeDirtySlots()).toEqual([0, 1, 2]);
    expect(world.smmu.takeDirtySlots()).toEqual([]);
  });

  it('mean one result for one kind of access, if the difference does not concern it', () => {
    const { world, bottom } = attach([X]);
    world.map(bottom, X, G);
    world.map(bottom, X, G, { AP: AP.ANY_RO });
    const access = { write: false, privileged: true, instruction: false };
    expect(world.smmu.outcomes(0)).toHaveLength(2);
    expect(world.smmu.outcomesFor(0, access)).toEqual([{ kind: 'translation', pa: G, attributes: 0 }]);
    expect(world.smmu.outcomesFor(0, { ...access, write: true })).toHaveLength(2);
  });
});
