import { beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { invalidationOf } from '../cpu/maintenance.ts';
import { OutstandingTlbis, SLOTS } from './outstanding.ts';

const ALL = invalidationOf({ kind: 'VMALLE1' });
const ASID = (asid: number): typeof ALL => invalidationOf({ kind: 'ASIDE1', asid });

let store: Store;
let outstanding: OutstandingTlbis;
beforeEach(() => {
  store = new Store();
  outstanding = new OutstandingTlbis(store, 2);
});

describe('slots', () => {
  test('say which command it is', () => {
    const one = outstanding.issue(0, ALL, true);
    const two = outstanding.issue(1, ASID(3), false);
    expect(one).not.toBe(two);
    expect(outstanding.commandAt(one)).toBe(ALL);
    expect(outstanding.commandAt(two)).toBe(ASID(3));
    expect(() => outstanding.commandAt(SLOTS - 1)).toThrow(RangeError);
  });

  test('do not tell which CPU came first', () => {
    const mark = store.mark();
    outstanding.issue(0, ASID(1), true);
    outstanding.issue(1, ASID(2), true);
    const cells = store.cells.slice(0, store.size);
    store.rollback(mark);
    outstanding.issue(1, ASID(2), true);
    outstanding.issue(0, ASID(1), true);
    expect(store.cells.slice(0, store.size)).toEqual(cells);
  });

  test('are shared by equal TLBIs of one CPU, not of two, nor of two kinds', () => {
    const slot = outstanding.issue(0, ASID(1), true);
    expect(outstanding.issue(0, ASID(1), true)).toBe(slot);
    expect(outstanding.issue(0, ASID(1), false)).not.toBe(slot);
    expect(outstanding.issue(1, ASID(1), true)).not.toBe(slot);
  });

  test('stay when the TLBI is executed again, whichever they are', () => {
    const slots = [1, 2, 3].map((asid) => outstanding.issue(1, ASID(asid), true));
    expect(new Set(slots).size).toBe(3);
    expect([1, 2, 3].map((asid) => outstanding.issue(1, ASID(asid), true))).toEqual(slots);
  });

  test('are given up by whoever has them, when room is made for another CPU', () => {
    const behind = store.reserve(1, 'what comes behind');
    store.set(behind, -1);
    for (let asid = 0; asid < SLOTS; asid++) outstanding.issue(1, ASID(asid), asid % 2 === 0);
    const bit = outstanding.makeRoom(0);
    expect(bit).toBe(1);
    expect(store.get(behind)).toBe(-1);
    expect(1 << outstanding.issue(0, ALL, true)).toBe(bit);
    expect(outstanding.complete(1, true)).toBe(((1 << SLOTS) - 1) & ~bit);
    expect(outstanding.complete(0, true)).toBe(bit);
  });

  test('of a neighbour are taken when there are no others, and can run out', () => {
    const slots = new Set(Array.from({ length: SLOTS }, (_, asid) => outstanding.issue(0, ASID(asid), true)));
    expect(slots.size).toBe(SLOTS);
    expect(() => outstanding.issue(1, ALL, true)).toThrow(RangeError);
    const bit = outstanding.makeRoom(1);
    expect(bit).toBe(1 << (SLOTS / 2));
    expect(1 << outstanding.issue(1, ALL, true)).toBe(bit);
    expect(outstanding.complete(0, true)).toBe(((1 << SLOTS) - 1) & ~bit);
    expect(outstanding.makeRoom(1)).toBe(0);
  });
});

describe('a DSB', () => {
  test('completes the TLBIs of its own CPU', () => {
    const mine = outstanding.issue(0, ALL, true);
    const other = outstanding.issue(1, ALL, true);
    expect(outstanding.complete(0, true)).toBe(1 << mine);
    expect(outstanding.complete(0, true)).toBe(0);
    expect(() => outstanding.commandAt(mine)).toThrow(RangeError);
    expect(outstanding.commandAt(other)).toBe(ALL);
    expect(outstanding.complete(1, true)).toBe(1 << other);
  });

  test('NSH completes local ones only, ISH both', () => {
    const local = outstanding.issue(0, ALL, false);
    const broadcast = outstanding.issue(0, ALL, true);
    expect(outstanding.complete(0, false)).toBe(1 << local);
    expect(outstanding.issue(0, ALL, false)).toBe(local);
    expect(outstanding.complete(0, true)).toBe((1 << local) | (1 << broadcast));
  });

  test('leaves the store as it was before the TLBIs', () => {
    outstanding.issue(1, ALL, false);
    outstanding.issue(1, ASID(1), true);
    outstanding.complete(1, true);
    expect(store.cells.slice(0, store.size).every((cell) => cell === 0)).toBe(true);
  });
});
