import { beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import type { TlbTarget } from '../commands/invalidation.ts';
import { ABSENT, addCopy, doom, HELD } from '../dvm/hold-state.ts';
import { OutstandingTlbis } from '../dvm/outstanding.ts';
import { Inheritance } from './inheritance.ts';
import { invalidationOf } from './maintenance.ts';

const THING: TlbTarget = {
  stage: 1,
  vmid: 0,
  asid: 1,
  page: 1,
  pages: 1,
  sourcePage: 1,
  granule: 12,
  level: 3,
  leaf: true,
};

/** Bits of outstanding TLBIs: two that cover the thing, two that do not. */
let [A, B, OTHER, LAST] = [0, 0, 0, 0];
let inheritance: Inheritance;
beforeEach(() => {
  const outstanding = new OutstandingTlbis(new Store(), 1);
  inheritance = new Inheritance(() => outstanding);
  const bit = (asid: number): number => 1 << outstanding.issue(0, invalidationOf({ kind: 'ASIDE1', asid }), true);
  A = bit(1);
  OTHER = bit(2);
  B = 1 << outstanding.issue(0, invalidationOf({ kind: 'VMALLE1' }), true);
  LAST = bit(3);
});

describe('what is read through something (D8.17 R_RVJDB)', () => {
  test('goes with those TLBIs of it that cover both, whichever numbers they have', () => {
    const through = (mask: number): number => inheritance.through(ABSENT, doom(HELD, mask), THING);
    expect(through(A)).toBe(HELD + A);
    expect(through(A | B)).toBe(HELD + (A | B));
    expect(through(A | OTHER | LAST)).toBe(HELD + A);
    expect(through(OTHER | B)).toBe(HELD + B);
    expect(through(OTHER | LAST)).toBe(HELD);
    expect(inheritance.through(ABSENT, HELD, THING)).toBe(HELD);
  });

  test('through two copies goes with the last of both', () => {
    const parent = addCopy(doom(HELD, A), OTHER);
    expect(inheritance.through(ABSENT, parent, THING)).toBe(HELD);
    const both = addCopy(doom(HELD, A), B);
    expect(inheritance.through(ABSENT, both, THING)).toBe(addCopy(HELD + A, B));
  });

  test('stays what it was, if that lasts longer', () => {
    expect(inheritance.through(HELD, doom(HELD, A), THING)).toBe(HELD);
    expect(inheritance.through(HELD + A, doom(HELD, A | B), THING)).toBe(HELD + A);
  });
});

describe('what is made of two things', () => {
  const two = (one: number, other: number): number => inheritance.throughTwo(ABSENT, one, other, THING);

  test('goes with those of either that cover it', () => {
    expect(two(HELD + A, HELD + B)).toBe(HELD + (A | B));
    expect(two(HELD + A, HELD)).toBe(HELD + A);
    expect(two(HELD, HELD + B)).toBe(HELD + B);
    expect(two(HELD + OTHER, HELD + LAST)).toBe(HELD);
    expect(two(HELD, HELD)).toBe(HELD);
  });

  test('is made of each copy of one with each of the other', () => {
    const copies = addCopy(HELD + A, B);
    expect(two(copies, HELD + OTHER)).toBe(copies);
    expect(two(HELD + OTHER, copies)).toBe(copies);
    // One copy of each has nothing in common with what covers it.
    expect(two(addCopy(HELD + A, OTHER), HELD + B)).toBe(HELD + B);
    expect(two(copies, copies)).toBe(copies);
  });
});
