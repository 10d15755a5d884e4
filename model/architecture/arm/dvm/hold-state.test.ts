import { describe, expect, test } from 'vitest';
import { ABSENT, addCopy, complete, doom, firstCopy, HELD, secondCopy } from './hold-state.ts';

const [A, B, C] = [1, 2, 4];

/** What a state stands for, kept as a list: a copy for each time that the entry was read. */
class Copies {
  masks: readonly number[] = [];

  add(mask: number): void {
    this.masks = [...this.masks, mask];
  }

  doom(bits: number): void {
    this.masks = this.masks.map((mask) => mask | bits);
  }

  complete(bits: number): void {
    this.masks = this.masks.filter((mask) => (mask & bits) === 0);
  }

  /** Those that last: none contains another. */
  get lasting(): readonly number[] {
    const distinct = [...new Set(this.masks)].sort((a, b) => a - b);
    return distinct.filter((mask) => distinct.every((other) => other === mask || (mask & other) !== other));
  }
}

function copiesOf(state: number): readonly number[] {
  if (state === ABSENT) return [];
  return secondCopy(state) === 0 ? [firstCopy(state)] : [firstCopy(state), secondCopy(state)];
}

describe('an entry', () => {
  test('goes with the first TLBI that covers it', () => {
    const state = doom(doom(HELD, A), B);
    expect(copiesOf(state)).toEqual([A | B]);
    expect(complete(state, C)).toBe(state);
    expect(complete(state, B)).toBe(ABSENT);
  });

  test('that is not held cannot be doomed', () => {
    expect(doom(ABSENT, A)).toBe(ABSENT);
    expect(complete(ABSENT, A)).toBe(ABSENT);
  });

  test('that is read again stays', () => {
    expect(addCopy(doom(HELD, A), 0)).toBe(HELD);
    expect(complete(HELD, A | B)).toBe(HELD);
  });

  test('with two copies goes with the last of them', () => {
    const state = addCopy(doom(HELD, A), B);
    expect(copiesOf(state)).toEqual([A, B]);
    expect(complete(complete(state, A), B)).toBe(ABSENT);
    expect(copiesOf(complete(state, A))).toEqual([B]);
    expect(complete(state, A | B)).toBe(ABSENT);
    expect(copiesOf(doom(state, C))).toEqual([A | C, B | C]);
    expect(copiesOf(doom(state, A))).toEqual([A]);
  });

  test('may go with any of all the TLBIs that there can be', () => {
    const all = 2 ** 12 - 1;
    const state = addCopy(ABSENT, all);
    expect(copiesOf(state)).toEqual([all]);
    expect(state).toBe(doom(HELD, all));
    expect(complete(state, 2 ** 11)).toBe(ABSENT);
  });

  test('with three copies goes too early, never too late', () => {
    const state = addCopy(addCopy(HELD + A, B), C);
    expect(copiesOf(state)).toEqual([A, B]);
    expect(complete(state, A | B)).toBe(ABSENT);
  });
});

test('every history of two TLBIs is told exactly, of three never too late', () => {
  let random = 1;
  const next = (bound: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (random >>> 8) % bound;
  };
  for (const bits of [2, 3])
    for (let run = 0; run < 2000; run++) {
      const copies = new Copies();
      let state = ABSENT;
      for (let step = 0; step < 8; step++) {
        const mask = next(1 << bits);
        const kind = next(3);
        if (kind === 0) copies.add(mask);
        else if (kind === 1) copies.doom(mask);
        else copies.complete(mask);
        state = [addCopy, doom, complete][kind]?.(state, mask) ?? state;
        if (bits === 2) expect(copiesOf(state)).toEqual(copies.lasting);
        else for (const copy of copiesOf(state)) expect(copies.masks.some((real) => (copy & real) === real)).toBe(true);
      }
    }
});
