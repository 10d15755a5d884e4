import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import { PasidEntries } from './entries.ts';
import { PasidReuse } from './reuse.ts';

test('what is cached of an entry is used until it is flushed', () => {
  const entries = new PasidEntries(new Store(), 2, 2, true);
  expect(entries.lookUp(0, 1)).toBe('nothing');
  expect(entries.write(0, 1, 0)).toBe(false);
  expect([entries.lookUp(0, 1), entries.cached(0, 1), entries.cached(1, 1)]).toEqual([0, 1, 0]);
  entries.quiet(0, 1);
  expect([entries.lookUp(0, 1), entries.owner(0, 1)]).toEqual([0, 0]);
  entries.flush(0, 1);
  expect([entries.lookUp(0, 1), entries.lookUp(0, 2), entries.lookUp(1, 1)]).toEqual(['quiet', 'nothing', 'nothing']);
  entries.write(0, 1, -1);
  expect([entries.lookUp(0, 1), entries.owner(0, 1), entries.cached(0, 1)]).toEqual(['quiet', -1, 1]);
  entries.flush(0, 1);
  expect([entries.lookUp(0, 1), entries.cached(0, 1)]).toEqual(['nothing', 0]);
});

test('an entry that is not there is not made quiet, and leads elsewhere when it is written for somebody else', () => {
  const entries = new PasidEntries(new Store(), 1, 1, true);
  entries.quiet(0, 1);
  expect(entries.owner(0, 1)).toBe(-1);
  entries.write(0, 1, 1);
  entries.write(0, 1, -1);
  expect([entries.write(0, 1, 1), entries.write(0, 1, 0)]).toEqual([false, true]);
});

test('without a cache each use looks at memory', () => {
  const entries = new PasidEntries(new Store(), 1, 1, false);
  entries.write(0, 1, 1);
  expect([entries.lookUp(0, 1), entries.cached(0, 1)]).toEqual([1, 0]);
  entries.write(0, 1, -1);
  expect(entries.lookUp(0, 1)).toBe('nothing');
});

test('a PASID has had another owner since something was asked for', () => {
  const reuse = new PasidReuse(new Store(), 2, 2, 2);
  reuse.allocated(1);
  reuse.asked(0, 1, 1);
  expect(reuse.isReused(0, 1, 1)).toBe(false);
  reuse.allocated(1);
  expect([reuse.isReused(0, 1, 1), reuse.isReused(0, 0, 2)]).toEqual([true, false]);
});
