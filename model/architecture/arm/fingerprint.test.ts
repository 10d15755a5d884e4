import { describe, expect, it } from 'vitest';
import { REGISTER } from './layout/register.ts';
import { cfgi, SYNC, TestWorld, tlbi } from './testing/world.ts';

const X = 0x1000;
const G = 0x40_0000;

function attached(): { world: TestWorld; top: number; bottom: number } {
  const world = new TestWorld([1, 2].map((streamId) => ({ streamId, substream: -1, va: X })));
  const { top, bottom } = world.tree(X);
  world.enable();
  return { world, top, bottom };
}

/** What the cells of a world stand for, in two words. */
function print({ store }: TestWorld): string {
  let [low, high] = [0, 0];
  store.cells.forEach((value, cell) => {
    low ^= store.identities?.low(cell, value) ?? 0;
    high ^= store.identities?.high(cell, value) ?? 0;
  });
  return `${low} ${high}`;
}

type Act = (made: ReturnType<typeof attached>) => void;

const attach: Act = ({ world, top, bottom }) => {
  world.map(bottom, X, G);
  world.cd(1, { ASID: 5, TTB0: top });
  world.ste(1);
};
const remap: Act = ({ world, bottom }) => {
  world.map(bottom, X, G + 0x1000);
  world.map(bottom, X);
};
const invalidate: Act = ({ world }) => world.issue(tlbi('TLBI_NH_ASID', { ASID: 5 }), cfgi('CFGI_CD', { StreamID: 1 }));
const other: Act = ({ world, top, bottom }) => {
  world.map(bottom, X, G + 0x2000, { nG: 0 });
  world.cd(2, { ASID: 7, TTB0: top });
  world.ste(2, { S2VMID: 3 });
  world.ste(1, { Config: 4 });
  world.issue(tlbi('TLBI_NH_ALL'), tlbi('TLBI_NH_VA', { ASID: 7, Address: X }), SYNC);
};

describe('what a state of the model stands for', () => {
  it('is the same in each world, whatever came up there before and was undone', () => {
    const prints = [[], [other], [remap, other], [invalidate, attach, other]].map((before) => {
      const made = attached();
      const mark = made.world.store.mark();
      for (const act of before) act(made);
      made.world.store.rollback(mark);
      made.world.prod = 0;
      for (const act of [attach, remap, invalidate]) act(made);
      return print(made.world);
    });
    expect(new Set(prints).size).toBe(1);
  });

  it('is something else when anything else may happen, or is outstanding', () => {
    const states: readonly (readonly Act[])[] = [
      [],
      [attach],
      [attach, remap],
      [attach, remap, invalidate],
      [attach, invalidate, remap],
      [attach, ({ world }) => world.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x5_0000, 0)],
      [attach, ({ world }) => world.sync(tlbi('TLBI_NH_ASID', { ASID: 5 }))],
    ];
    const prints = states.map((acts) => {
      const made = attached();
      for (const act of acts) act(made);
      return print(made.world);
    });
    expect(new Set(prints).size).toBe(states.length);
  });
});
