import { expect, test } from 'vitest';
import { consOf, isOwned, OWNED, pack, prodOf, QueueIndex } from './cmdq-index.ts';

const index = new QueueIndex(2);

test('an index knows its entry, its round and what comes after', () => {
  expect([3, 4, 7].map((at) => [index.entry(at), index.wrap(at)])).toEqual([
    [3, 0],
    [0, 1],
    [3, 1],
  ]);
  expect(index.add(7, 2)).toBe(1);
  expect(index.distance(6, 1)).toBe(3);
});

test('room is what was consumed, over the wrap as well', () => {
  for (let cons = 0; cons < 8; cons++)
    for (let used = 0; used <= 4; used++) {
      const prod = index.add(cons, used);
      for (let count = 0; count <= 4; count++) expect(index.hasSpace(prod, cons, count)).toBe(count <= 4 - used);
      expect(index.isFull(prod, cons)).toBe(used === 4);
    }
});

test('an entry is consumed once CONS is behind it, for one round', () => {
  for (let at = 0; at < 8; at++)
    for (let passed = 1; passed <= 4; passed++) expect(index.isConsumed(index.add(at, passed), at)).toBe(true);
  for (let at = 0; at < 8; at++)
    for (let missing = 0; missing < 4; missing++) expect(index.isConsumed(index.add(at, -missing), at)).toBe(false);
  // Had CONS gone round twice, nobody could tell.
  expect(index.isConsumed(index.add(2, 5), 2)).toBe(false);
});

test('PROD, its flag and CONS are read together', () => {
  const llq = pack(5 | OWNED, 3);
  expect([prodOf(llq), isOwned(llq), consOf(llq)]).toEqual([5, true, 3]);
});
