import { describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { invalidationOf } from '../cpu/maintenance.ts';
import { BROADCASTS_MAX } from '../holds.ts';
import { attach, type TestWorld } from '../testing/world.ts';
import { OutstandingBroadcasts } from './outstanding-broadcasts.ts';

const asid = (number: number) => invalidationOf({ kind: 'ASIDE1', asid: number });

/** What the cells of a store stand for, in two words. */
function print({ cells, identities }: Store): string {
  let [low, high] = [0, 0];
  cells.forEach((value, cell) => {
    low ^= identities?.low(cell, value) ?? 0;
    high ^= identities?.high(cell, value) ?? 0;
  });
  return `${low} ${high}`;
}

test('equal invalidations are one object, as a broadcast', () => {
  const outstanding = new OutstandingBroadcasts(new Store());
  const first = outstanding.interned({ ...asid(5) });
  expect(outstanding.interned({ ...asid(5) })).toBe(first);
  expect(outstanding.add({ ...asid(5) }, 2)).toBe(first);
  expect(first).toEqual({ ...asid(5), broadcast: true });
  expect(outstanding.interned(asid(6))).not.toBe(first);
});

test('those outstanding are known by their numbers, the last among them', () => {
  const outstanding = new OutstandingBroadcasts(new Store());
  const last = BROADCASTS_MAX - 1;
  for (const slot of [0, 3, last]) outstanding.add(asid(slot), slot);
  const every = 2 ** BROADCASTS_MAX - 1;
  expect(outstanding.among(every)).toBe(1 | (1 << 3) | (1 << last));
  expect(outstanding.among(1 << 2)).toBe(0);
  expect(outstanding.filter(every, (invalidation) => invalidation.asid === last)).toBe(1 << last);
  outstanding.complete(1 << last);
  expect(outstanding.among(every)).toBe(1 | (1 << 3));
});

describe('a state', () => {
  /** What is to be read through something that a broadcast dooms depends on which one that is (IHI 0070 §3.21.1). */
  const after = (history: (world: TestWorld) => void): string => {
    const { world } = attach([0x1000], {}, { btm: true });
    history(world);
    return print(world.store);
  };

  test('is another one with another broadcast outstanding, though neither dooms anything', () => {
    const prints = [undefined, 6, 7].map((number) =>
      after(({ smmu }) => (number === undefined ? undefined : smmu.dvm.invalidate(asid(number), 3))),
    );
    expect(new Set(prints).size).toBe(3);
  });

  test('is the same whichever broadcasts came up before', () => {
    const history = (numbers: readonly number[]) =>
      after(({ smmu }) => {
        for (const number of numbers) {
          smmu.dvm.invalidate(asid(number), 2);
          smmu.dvm.complete(1 << 2);
        }
        smmu.dvm.invalidate(asid(9), 3);
      });
    expect(history([6, 7])).toBe(history([]));
  });
});
