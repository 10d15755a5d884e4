import { describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidSetMonitor } from './pasid-sets.ts';

/** What the monitor says of the last event of a sequence; nothing was wrong before. */
function said(events: readonly PasidEvent[]): { readonly rule: string; readonly message: string } | undefined {
  const monitor = new PasidSetMonitor(new Store(), { pasids: 3, owners: 2, sets: 2, spids: 2 });
  for (const event of events.slice(0, -1)) expect(monitor.on(event)).toBeUndefined();
  return monitor.on(events.at(-1) as PasidEvent);
}

const alloc = (pasid: number, owner: number): PasidEvent => ({ type: 'pasid.alloc', pasid, owner });
const freed = (pasid: number, by: number): PasidEvent => ({ type: 'pasid.freed', pasid, by });
const reclaim = (pasid: number): PasidEvent => ({ type: 'pasid.reclaim', pasid });
const set = (number: number, quota: number, available: number): PasidEvent => ({
  type: 'pasid.set',
  set: number,
  quota,
  available,
});
const spid = (owner: number, number: number, pasid: number): PasidEvent => ({
  type: 'pasid.spid',
  owner,
  spid: number,
  pasid,
});
const found = (owner: number, number: number, pasid: number): PasidEvent => ({
  type: 'pasid.found',
  owner,
  spid: number,
  pasid,
});

describe('a number', () => {
  test('is freed by its owner, once for each time that it is given out', () => {
    for (const pasid of [1, 2, 3])
      for (const owner of [0, 1]) {
        expect(said([alloc(pasid, owner), freed(pasid, owner)])).toBeUndefined();
        expect(said([alloc(pasid, owner), freed(pasid, 1 - owner)])?.rule).toBe('freed-by-another');
        expect(said([alloc(pasid, owner), freed(pasid, owner), freed(pasid, owner)])?.rule).toBe('freed-twice');
        const again = [alloc(pasid, owner), freed(pasid, owner), reclaim(pasid), alloc(pasid, 1 - owner)];
        expect(said([...again, freed(pasid, 1 - owner)])).toBeUndefined();
        expect(said([...again, freed(pasid, owner)])?.rule).toBe('freed-by-another');
      }
    expect(said([alloc(1, 0), alloc(2, 0), freed(1, 0), freed(2, 0)])).toBeUndefined();
  });

  test('of which nobody has said whose it is now is not freed', () => {
    expect(said([alloc(1, 0), freed(1, 0), reclaim(1), freed(1, 0)])?.rule).toBe('freed-by-another');
    expect(said([alloc(1, 0), freed(1, -1)])?.message).toBe('somebody else frees PASID 1, and VM0 owns it.');
    expect(said([alloc(1, 1), freed(1, 0)])?.message).toBe('VM0 frees PASID 1, and VM1 owns it.');
  });
});

test('sets have, with what is left, all the numbers that there are', () => {
  expect(said([set(1, 1, 2), set(2, 2, 0)])).toBeUndefined();
  expect(said([set(1, 1, 2), set(2, 1, 2)])?.rule).toBe('capacity-lost');
  expect(said([set(1, 1, 2), set(2, 2, 0), set(1, 0, 1)])).toBeUndefined();
  expect(said([set(1, 1, 2), set(2, 2, 0), set(2, 0, 1)])?.message).toBe(
    'Sets have 1 numbers and 1 are left, of 3 that there are.',
  );
});

describe('a guest PASID', () => {
  test('leads to one number, until it leads to none', () => {
    expect(said([spid(0, 1, 1), spid(0, 1, 2)])?.rule).toBe('spid-two-numbers');
    expect(said([spid(0, 1, 1), spid(0, 1, 0), spid(0, 1, 2)])).toBeUndefined();
    // Another guest PASID, and that of another guest, lead elsewhere.
    expect(said([spid(0, 1, 1), spid(0, 2, 2), spid(1, 1, 3), spid(1, 2, 3)])).toBeUndefined();
  });

  test('is found to be the number that it leads to, which is its guest’s and not freed', () => {
    const all = [alloc(1, 0), alloc(2, 1), spid(0, 2, 1), spid(1, 1, 2)];
    expect(said([...all, found(0, 2, 1)])).toBeUndefined();
    expect(said([...all, found(1, 1, 2)])).toBeUndefined();
    expect(said([...all, found(0, 2, 2)])?.message).toBe(
      'Guest PASID 2 of VM0 is found to be PASID 2, which VM1 owns.',
    );
    expect(said([...all, found(0, 2, 3)])?.message).toBe(
      'Guest PASID 2 of VM0 is found to be PASID 3, which nobody owns.',
    );
    expect(said([...all, freed(1, 0), found(0, 2, 1)])?.message).toBe(
      'Guest PASID 2 of VM0 is found to be PASID 1, which has been freed.',
    );
    expect(said([...all, found(0, 1, 1)])?.message).toBe(
      'Guest PASID 1 of VM0 is found to be PASID 1, and leads to none.',
    );
    expect(said([...all, alloc(3, 0), found(0, 2, 3)])?.message).toBe(
      'Guest PASID 2 of VM0 is found to be PASID 3, and leads to 1.',
    );
  });
});

test('numbers, sets and guest PASIDs are kept apart', () => {
  expect(said([alloc(3, 0), alloc(1, 0), freed(1, 0), freed(3, 0)])).toBeUndefined();
  expect(said([alloc(3, 0), alloc(1, 0), freed(3, 0), freed(1, 0)])).toBeUndefined();
  expect(said([set(1, 2, 1), alloc(3, 0), freed(3, 0), alloc(2, 0), freed(2, 0), set(2, 1, 0)])).toBeUndefined();
  for (const owner of [0, 1])
    for (const number of [1, 2]) expect(said([spid(owner, number, 3), set(1, 1, 2), set(2, 1, 1)])).toBeUndefined();
  const store = new Store();
  const monitor = new PasidSetMonitor(store, { pasids: 3, owners: 2, sets: 2, spids: 2 });
  const behind = store.reserve(8, 'behind');
  for (const owner of [0, 1]) for (const number of [1, 2]) monitor.on(spid(owner, number, 3));
  expect(Array.from({ length: 8 }, (_, at) => store.get(behind + at))).toEqual(Array(8).fill(0));
});

test('what else happens to numbers is not its business', () => {
  expect(said([{ type: 'pasid.allocator', custom: true }])).toBeUndefined();
});
