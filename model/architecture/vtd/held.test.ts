import { expect, test } from 'vitest';
import { Store } from '../../../engine/store.ts';
import { Held } from './held.ts';

function held(): { store: Store; sets: Held } {
  const store = new Store();
  return { store, sets: new Held(store, 3, 'things', (at, bits) => `set ${at} ${bits}`) };
}

test('what is filled lasts until a descriptor that covers it has been completed', () => {
  const { sets } = held();
  sets.fill(1, 0b110);
  sets.doom(1, 0b011, 1);
  expect([sets.of(1), sets.lasting(1), sets.doomedBy(1)]).toEqual([0b110, 0b100, 1]);
  sets.complete(1);
  expect([sets.of(1), sets.lasting(1), sets.doomedBy(1)]).toEqual([0b100, 0b100, 0]);
  expect([sets.of(0), sets.of(2)]).toEqual([0, 0]);
});

test('what is filled again is not doomed any more', () => {
  const { sets } = held();
  sets.fill(0, 0b11);
  sets.doom(0, 0b11, 1);
  sets.fill(0, 0b01);
  expect([sets.lasting(0), sets.doomedBy(0)]).toEqual([0b01, 1]);
  sets.complete(1);
  expect(sets.of(0)).toBe(0b01);
});

test('a set of which nothing is doomed any more knows no descriptor', () => {
  const { sets } = held();
  sets.fill(0, 1);
  sets.doom(0, 1, 1);
  sets.fill(0, 1);
  expect(sets.doomedBy(0)).toBe(0);
});

test('what is not there is not doomed', () => {
  const { sets } = held();
  sets.doom(2, 0b1, 1);
  expect(sets.doomedBy(2)).toBe(0);
  sets.fillDoomed(2, 0b1, 2);
  expect([sets.of(2), sets.lasting(2), sets.doomedBy(2)]).toEqual([1, 0, 2]);
});

test('what is there already stays as it is when it is filled by what goes', () => {
  const { sets } = held();
  sets.fill(2, 0b1);
  sets.fillDoomed(2, 0b11, 1);
  expect([sets.of(2), sets.lasting(2)]).toEqual([0b11, 0b01]);
});

test('a set goes with the last descriptor that dooms a thing of it', () => {
  const { sets } = held();
  sets.fill(0, 0b11);
  sets.doom(0, 0b01, 1);
  sets.doom(0, 0b10, 2);
  sets.complete(1);
  expect(sets.of(0)).toBe(0b11);
  sets.complete(2);
  expect(sets.of(0)).toBe(0);
});

test('reports show what is held', () => {
  const { store } = held();
  const { region } = store.locate(0);
  expect([region.name, region.format?.(1, 6)]).toEqual(['things', 'set 1 6']);
});
