import { expect, test } from 'vitest';
import { Machine } from '../../../engine/machine.ts';
import { Bitmap, generationOf, makeTag, NUMBER_MAX, numberOf, showTag } from './index.ts';

test('an id has a number and the generation that gave it out', () => {
  for (const number of [0, 1, NUMBER_MAX])
    for (const generation of [1, 2, 1000]) {
      const id = makeTag(number, generation);
      expect([numberOf(id), generationOf(id)]).toEqual([number, generation]);
      expect(id).not.toBe(0);
    }
});

test('ids of different generations differ', () => {
  expect(makeTag(3, 1)).not.toBe(makeTag(3, 2));
  expect([showTag(makeTag(3, 2)), showTag(0)]).toEqual(['3/g2', 'none']);
});

test('a bitmap finds the first number that is not in it', () => {
  const map = new Bitmap(new Machine(), 'map');
  for (const number of [1, 2, 4]) map.set(number);
  expect([map.findNextZero(6, 1), map.findNextZero(6, 4), map.findNextZero(5, 4)]).toEqual([3, 5, 5]);
  map.clear(2);
  expect([map.has(1), map.has(2), map.findNextZero(6, 1)]).toEqual([true, false, 2]);
  map.bits = 0;
  expect(map.findNextZero(6, 1)).toBe(1);
});
