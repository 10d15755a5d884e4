import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixHigh, mixLow } from './hash.ts';
import { Fingerprint } from './search/fingerprint.ts';
import { Store } from './store.ts';

const CELLS = 8;
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** What may be done to a store between two looks at it. */
type Action = { readonly cell: number; readonly value: number } | 'mark' | 'rollback';
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ cell: fc.nat(CELLS - 1), value: fc.oneof(fc.nat(3), int32) }) },
  { weight: 1, arbitrary: fc.constant('mark' as const) },
  { weight: 1, arbitrary: fc.constant('rollback' as const) },
);

function laidOut(): Store {
  const store = new Store();
  store.reserve(CELLS, 'cells');
  return store;
}

describe('undo', () => {
  test('behaves as a stack of copies', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const store = laidOut();
        const model = Array.from({ length: CELLS }, () => 0);
        const stack: { mark: number; copy: number[] }[] = [{ mark: store.mark(), copy: [...model] }];
        for (const each of actions) {
          if (each === 'mark') stack.push({ mark: store.mark(), copy: [...model] });
          else if (each === 'rollback') {
            const { mark, copy } =
              stack.length > 1 ? (stack.pop() as (typeof stack)[0]) : (stack[0] as (typeof stack)[0]);
            store.rollback(mark);
            model.splice(0, CELLS, ...copy);
          } else {
            store.set(each.cell, each.value);
            model[each.cell] = each.value;
          }
          expect([...store.cells.subarray(0, CELLS)]).toEqual(model);
        }
      }),
    );
  });

  test('a write without effect leaves no trace; every other one is logged', () => {
    const store = laidOut();
    store.set(2, 0);
    expect(store.logLength).toBe(0);
    store.set(2, 7);
    store.set(2, 7);
    store.set(2, 5);
    expect([...store.logCell.subarray(0, store.logLength)]).toEqual([2, 2]);
    expect([...store.logOld.subarray(0, store.logLength)]).toEqual([0, 7]);
    expect([...store.logNew.subarray(0, store.logLength)]).toEqual([7, 5]);
  });

  test('the log grows', () => {
    const store = laidOut();
    for (let at = 1; at <= 10_000; at++) store.set(at % CELLS, at);
    expect(store.logLength).toBe(10_000);
    store.rollback(0);
    expect([...store.cells.subarray(0, CELLS)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('a value wider than 32 bits is truncated', () => {
    const store = laidOut();
    store.set(0, 0x1_0000_0003);
    store.set(1, 0xffff_ffff);
    expect([store.get(0), store.get(1)]).toEqual([3, -1]);
  });
});

describe('fingerprint', () => {
  /** What the fingerprint of a store must be, computed from nothing. */
  const whole = (store: Store): [number, number] => {
    let [low, high] = [0, 0];
    store.cells.subarray(0, store.size).forEach((value, cell) => {
      if (value === 0) return;
      low ^= mixLow(cell, value);
      high ^= mixHigh(cell, value);
    });
    return [low, high];
  };

  test('kept up to date from the log, it is that of the cells', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(CELLS - 1), fc.oneof(fc.nat(2), int32)), { maxLength: 40 }), (writes) => {
        const store = laidOut();
        const print = new Fingerprint();
        for (const [cell, value] of writes) {
          const mark = store.mark();
          store.set(cell, value);
          store.set((cell + 1) % CELLS, value >> 1);
          print.absorbWrites(store, mark);
          expect([print.low, print.high]).toEqual(whole(store));
        }
      }),
    );
  });

  test('small values of neighbouring cells do not collide, in either lane nor in pairs', () => {
    const lanes = new Set<string>();
    let sums = 0;
    const list: [number, number][] = [];
    for (let cell = 0; cell < 200; cell++)
      for (let value = 1; value <= 8; value++) list.push([mixLow(cell, value), mixHigh(cell, value)]);
    for (const [low, high] of list) lanes.add(`${low} ${high}`);
    expect(lanes.size).toBe(1600);
    const pairs = new Set<string>();
    for (let one = 0; one < 600; one++)
      for (let other = 0; other < one; other++) {
        sums++;
        pairs.add(
          `${(list[one]?.[0] as number) ^ (list[other]?.[0] as number)} ${(list[one]?.[1] as number) ^ (list[other]?.[1] as number)}`,
        );
      }
    expect(pairs.size).toBe(sums);
  });

  test('each bit of a lane is set about half the time', () => {
    for (const mix of [mixLow, mixHigh]) {
      const ones = Array.from({ length: 32 }, () => 0);
      for (let cell = 0; cell < 64; cell++)
        for (let value = 1; value <= 64; value++) {
          const lane = mix(cell, value);
          for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] as number) + ((lane >>> bit) & 1);
        }
      for (const count of ones) expect(Math.abs(count - 2048)).toBeLessThan(5 * 32);
    }
  });
});

describe('regions', () => {
  test('every cell is located in the region that reserved it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }), (lengths) => {
        const store = new Store(4);
        const bases = lengths.map((length, index) => store.reserve(length, `region${index}`));
        lengths.forEach((length, index) => {
          for (let offset = 0; offset < length; offset++) {
            const found = store.locate((bases[index] as number) + offset);
            expect(found.region.name).toBe(`region${index}`);
            expect(found.offset).toBe(offset);
          }
        });
        expect(() => store.locate(store.size)).toThrow('is in no region');
        expect(() => store.locate(-1)).toThrow('is in no region');
      }),
    );
  });

  test('an empty store has no region', () => {
    expect(() => new Store().locate(0)).toThrow('cell 0 is in no region of the store');
  });

  test('growing keeps what is there', () => {
    const store = new Store(2);
    store.reserve(2, 'small');
    store.set(1, 9);
    store.reserve(1000, 'large');
    expect(store.get(1)).toBe(9);
    expect(store.cells.length).toBeGreaterThanOrEqual(1002);
  });
});

test('reads are recorded while asked for, each cell once, in order and with the value found, however many', () => {
  const store = laidOut();
  store.get(1);
  store.startRecording();
  store.get(3);
  store.get(1);
  store.set(3, 5);
  store.get(3);
  expect([...store.reads.subarray(0, store.readCount)]).toEqual([3, 1]);
  expect([...store.readValues.subarray(0, store.readCount)]).toEqual([0, 0]);
  store.startRecording();
  for (let at = 0; at < 1000; at++) store.get(at % CELLS);
  store.stopRecording();
  store.get(CELLS);
  expect(store.readCount).toBe(CELLS);
});

test('a footprint counts what a write overwrites as read', () => {
  const store = laidOut();
  store.startRecording(true);
  store.set(2, 7);
  store.get(2);
  store.stopRecording();
  expect([...store.reads.subarray(0, store.readCount)]).toEqual([2]);
  expect(store.readValues[0]).toBe(0);
});
