import { describe, expect, it } from 'vitest';
import { leafOfStageTwo, nest, type Nested } from '../../testing/stage-two.ts';
import { tlbi } from '../../testing/world.ts';

const X = 0x1000;
/** Where stage 1 sends X, and where stage 2 sends that. */
const I = 0x6000;
const P = 0x40_0000;

const ALL_OF_VM = tlbi('TLBI_S12_VMALL', { VMID: 1 });

/** X is mapped to I by stage 1, and I to P by stage 2. */
function mapped(features = {}): Nested {
  const nested = nest([X], {}, features);
  nested.world.map(nested.bottom, X, I);
  nested.world.mapIpa(I, P);
  nested.world.sync(ALL_OF_VM);
  return nested;
}

describe('IPAs that nobody names', () => {
  it('does not depend on IPAs that something led to before', () => {
    const { world, bottom } = mapped({ bbml: 2 });
    const mark = world.store.mark();
    world.mapIpa(0x7000, P + 0x7000);
    world.map(bottom, X, 0x7000);
    world.mapIpa(0x7000);
    world.store.rollback(mark);
    world.mapIpa(0x7000, P + 0x7000);
    world.mapIpa(0x7000);
    world.map(bottom, X, 0x7000);
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('finds an IPA in a block or contiguous run that is held already', () => {
    for (const contiguous of [false, true]) {
      const { world, bottom } = mapped();
      const old = contiguous
        ? () => world.mapIpa(I, P + I, { Contiguous: 1 })
        : () => world.write(world.middle + 8, leafOfStageTwo(0x60_0000, {}, 2));
      const first = contiguous ? I : 0x20_1000;
      const second = contiguous ? 0x7000 : 0x20_2000;
      old();
      world.map(bottom, X, first);
      if (contiguous) world.mapIpa(I);
      else world.word(world.middle + 8, 0, 0);
      // The descriptor has gone before anything led to the second page; its neighbour is still held.
      world.map(bottom, X, second);
      expect(world.see()).toContain(contiguous ? '→407000' : '→602000');
    }
  });

  it('reads a contiguous run for pages that came up after it', () => {
    const { world, bottom } = mapped({ bbml: 2 });
    world.mapIpa(I, P + I, { Contiguous: 1 });
    world.map(bottom, X, 0x7000);
    world.mapIpa(0x7000);
    world.map(bottom, X, I);
    world.sync(ALL_OF_VM);
    expect(world.see()).toEqual(['→406000']);
    world.map(bottom, X, 0x7000);
    world.sync(ALL_OF_VM);
    expect(world.see()).toEqual(['f10', '→407000']);
  });

  it.each([false, true])(
    'tells entries of a run from others that are the same, whichever came up first (%o)',
    (run) => {
      const { world, bottom } = mapped({ bbml: 2 });
      const explore = (Contiguous: 0 | 1): void => {
        const mark = world.store.mark();
        world.mapIpa(I, P + I, { Contiguous });
        world.store.rollback(mark);
      };
      explore(run ? 0 : 1);
      world.mapIpa(I, P + I, { Contiguous: run ? 1 : 0 });
      world.map(bottom, X, 0x7000);
      expect(world.see().includes('→407000')).toBe(run);
    },
  );
});
