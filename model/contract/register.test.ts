import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Store } from '../../engine/store.ts';
import { Registers, VALUES_MAX } from './register.ts';

/** One write of the oracle, which knows what a register cannot: which end belongs to which begin. */
interface Write {
  readonly value: number;
  readonly lazy: boolean;
  readonly begin: number;
  end: number;
}

/** A register that remembers every write and flush with its times. */
class Oracle {
  readonly writes: Write[] = [{ value: 0, lazy: false, begin: -2, end: -1 }];
  readonly flushes: { begin: number; end: number }[] = [];
  now = 0;

  /** A value may be read unless a write that began after its end has ended (a lazy one: and was flushed). */
  live(value: number): boolean {
    return this.writes.some(
      (write) => write.value === value && !this.writes.some((later) => this.#replaced(write, later)),
    );
  }

  #replaced(write: Write, later: Write): boolean {
    if (later.begin <= write.end || later.end === Infinity) return false;
    // Values of lazy writes (0) are replaced like any other; only what is not 0 can linger.
    if (!later.lazy || write.value === 0) return true;
    return this.flushes.some((flush) => flush.begin > later.end && flush.end !== Infinity);
  }
}

type Move =
  | { readonly do: 'begin'; readonly value: number; readonly lazy: boolean }
  | { readonly do: 'end' | 'cancel'; readonly which: number }
  | { readonly do: 'flush.begin' }
  | { readonly do: 'flush.end' };

const lazyMove: fc.Arbitrary<Move> = fc.record({
  do: fc.constant('begin' as const),
  value: fc.constant(0),
  lazy: fc.boolean(),
});
const writeMove: fc.Arbitrary<Move> = fc.record({
  do: fc.constant('begin' as const),
  value: fc.nat({ max: 3 }),
  lazy: fc.constant(false),
});
const endMove: fc.Arbitrary<Move> = fc.record({
  do: fc.constantFrom('end' as const, 'end' as const, 'cancel' as const),
  which: fc.nat({ max: 7 }),
});
const flushMove = fc.constantFrom<Move>({ do: 'flush.begin' }, { do: 'flush.end' });
const moves = fc.array(fc.oneof(lazyMove, writeMove, endMove, flushMove), { maxLength: 30 });

/** Applies moves to a register and to the oracle; `concurrent`: most writes in progress at once. */
function play(list: readonly Move[], concurrent: number, look: (registers: Registers, oracle: Oracle) => void): void {
  const registers = new Registers(new Store(), 1, 'test');
  const oracle = new Oracle();
  for (const move of list) {
    oracle.now++;
    apply(move, concurrent, registers, oracle);
    look(registers, oracle);
  }
}

function apply(move: Move, concurrent: number, registers: Registers, oracle: Oracle): void {
  const open = oracle.writes.filter((write) => write.end === Infinity);
  const flushing = oracle.flushes.filter((flush) => flush.end === Infinity);
  if (move.do === 'begin') {
    if (open.length === concurrent) return;
    oracle.writes.push({ value: move.value, lazy: move.lazy, begin: oracle.now, end: Infinity });
    registers.begin(0, move.value);
  } else if (move.do === 'end') {
    const write = open[move.which % open.length];
    if (write === undefined) return;
    write.end = oracle.now;
    // The vocabulary tells an unmap's end from a map's, not one map's end from another's.
    if (write.lazy) registers.endClearLazily(0, flushing.length + 1);
    else if (write.value === 0) registers.endClear(0, 1);
    else registers.end(0, 1);
  } else if (move.do === 'cancel') {
    const write = open[move.which % open.length];
    if (write === undefined || write.value === 0) return;
    oracle.writes.splice(oracle.writes.indexOf(write), 1);
    registers.cancel(0, write.value);
  } else if (move.do === 'flush.begin') {
    oracle.flushes.push({ begin: oracle.now, end: Infinity });
  } else {
    const [flush] = flushing;
    if (flush === undefined) return;
    flush.end = oracle.now;
    registers.flushed(0, 2);
  }
}

const VALUES = [0, 1, 2, 3];
const live = (side: { live(value: number): boolean }): boolean[] => VALUES.map((value) => side.live(value));

describe('Registers', () => {
  it('permits exactly what linearisability permits while at most one write is in progress', () => {
    fc.assert(
      fc.property(moves, (list) =>
        play(list, 1, (registers, oracle) =>
          expect(live({ live: (value) => registers.live(0, value) })).toEqual(live(oracle)),
        ),
      ),
      { numRuns: 2000 },
    );
  });

  it('never forbids what linearisability permits', () => {
    fc.assert(
      fc.property(moves, (list) =>
        play(list, 4, (registers, oracle) => {
          for (const value of VALUES) if (oracle.live(value)) expect(registers.live(0, value)).toBe(true);
        }),
      ),
      { numRuns: 5000 },
    );
  });

  it('is exact again after one write that overlaps no other', () => {
    fc.assert(
      fc.property(moves, fc.nat({ max: 3 }), (list, value) => {
        const ends: Move[] = Array.from({ length: 4 }, () => ({ do: 'end', which: 0 }));
        const settled: Move[] = [...list, ...ends, { do: 'begin', value, lazy: false }, { do: 'end', which: 0 }];
        let last: boolean[] = [];
        play(settled, 4, (registers) => {
          last = live({ live: (candidate) => registers.live(0, candidate) });
        });
        expect(last).toEqual(VALUES.map((candidate) => candidate === value));
      }),
    );
  });

  it('counts no more ends for a cleared register either', () => {
    const registers = new Registers(new Store(), 1, 'test');
    registers.begin(0, 1);
    registers.begin(0, 0);
    registers.endClear(0, 1);
    registers.cancel(0, 1);
    registers.begin(0, 3);
    registers.end(0, 1);
    expect(registers.live(0, 0)).toBe(false);
  });

  it('counts no more ends for a value than there are writes in progress', () => {
    const registers = new Registers(new Store(), 1, 'test');
    registers.begin(0, 1);
    registers.begin(0, 2);
    registers.end(0, 1);
    registers.cancel(0, 2);
    registers.begin(0, 3);
    registers.end(0, 1);
    expect(registers.live(0, 1)).toBe(false);
  });

  it('lets a lazy end wait for as many flushes as it is told', () => {
    const registers = new Registers(new Store(), 1, 'test');
    registers.begin(0, 1);
    registers.end(0, 1);
    registers.begin(0, 0);
    registers.endClearLazily(0, 2);
    expect([registers.flushed(0, 3), registers.live(0, 1)]).toEqual([false, true]);
    expect([registers.flushed(0, 3), registers.live(0, 1), registers.goneBy(0, 1)]).toEqual([true, false, 3]);
  });
});

describe('a register that remembers as many values as it can', () => {
  const values = Array.from({ length: VALUES_MAX }, (_, index) => index + 1);
  const written = (): Registers => {
    const registers = new Registers(new Store(), 1, 'test');
    for (const value of values) registers.begin(0, value);
    return registers;
  };
  const settled = (): Registers => {
    const registers = written();
    values.forEach(() => registers.end(0, 1));
    return registers;
  };
  const readable = (registers: Registers): number[] => values.filter((value) => registers.live(0, value));

  it('lets each be read while all are written, and when all have settled', () => {
    expect(readable(written())).toEqual(values);
    expect(readable(settled())).toEqual(values);
  });

  it('clears each, and says why', () => {
    const registers = settled();
    registers.begin(0, 0);
    registers.endClear(0, 7);
    expect(readable(registers)).toEqual([]);
    expect(values.map((value) => registers.goneBy(0, value))).toEqual(values.map(() => 7));
  });

  it('clears each lazily, with the flush that was asked for', () => {
    const registers = settled();
    registers.begin(0, 0);
    registers.endClearLazily(0, 2);
    expect(registers.flushed(0, 5)).toBe(false);
    expect(readable(registers)).toEqual(values);
    expect(registers.flushed(0, 5)).toBe(true);
    expect(values.map((value) => registers.goneBy(0, value))).toEqual(values.map(() => 5));
  });

  it('takes back each', () => {
    const registers = written();
    for (const value of values) registers.cancel(0, value);
    expect(readable(registers)).toEqual([]);
    expect(registers.writes(0)).toBe(0);
  });

  it('has no place for one more, until one may no longer be read', () => {
    const registers = settled();
    expect(() => registers.begin(0, 9)).toThrow(/more than 4 values/);
    registers.begin(0, 0);
    registers.endClear(0, 1);
    registers.begin(0, 9);
    expect(registers.live(0, 9)).toBe(true);
  });
});
