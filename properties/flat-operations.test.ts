import { expect, test } from 'vitest';
import { kindsOf, optionsOf, readOperation, simplifyBy, type Bounds } from './flat-operations.ts';

const BOUNDS: Bounds<'map' | 'flush'> = { map: { page: [0, 1], frame: [-1, 1] }, flush: {} };

test('every operation is there once, in the order of kinds and arguments', () => {
  expect(kindsOf(BOUNDS)).toEqual(['map', 'flush']);
  const frames = (page: number) => [-1, 0, 1].map((frame) => ({ op: 'map', page, frame }));
  expect(optionsOf(BOUNDS)).toEqual([...frames(0), ...frames(1), { op: 'flush' }]);
});

test('an argument that is drawn later has its least value', () => {
  expect(optionsOf(BOUNDS, 'frame')).toEqual([
    { op: 'map', page: 0, frame: -1 },
    { op: 'map', page: 1, frame: -1 },
    { op: 'flush' },
  ]);
});

test('what is simpler has one argument less, the simplest first', () => {
  expect(simplifyBy(BOUNDS, { op: 'map', page: 1, frame: 1 })).toEqual([
    { op: 'map', page: 0, frame: 1 },
    { op: 'map', page: 1, frame: -1 },
    { op: 'map', page: 1, frame: 0 },
  ]);
  expect(simplifyBy(BOUNDS, { op: 'flush' })).toEqual([]);
});

test.each([
  [{ op: 'unmap' }, 'family some has no operation "unmap"; it has map, flush'],
  [{ op: 'map', page: 0 }, 'operation map: "frame" must be an integer from -1 to 1'],
  [{ op: 'map', page: 2, frame: 0 }, 'operation map: "page" must be an integer from 0 to 1'],
  [{ op: 'map', page: 0.5, frame: 0 }, 'operation map: "page" must be an integer from 0 to 1'],
])('%j is refused', (operation, why) => {
  expect(() => readOperation('some', BOUNDS, operation)).toThrow(why);
});

test('whatever is an option can be read', () => {
  for (const option of optionsOf<{ op: 'map' | 'flush' }>(BOUNDS))
    expect(readOperation('some', BOUNDS, option)).toBe(option);
});
