import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../../bench/workloads/asid-share.ts';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { mixHigh, mixLow } from '../hash.ts';
import { forget, type Task } from '../step.ts';
import { enumerate } from '../testing/naive.ts';
import { build, programs } from '../testing/programs.ts';
import { agent, world } from '../testing/world.ts';
import { countInterleavings } from './count-interleavings.ts';
import { PathCounts, UNKNOWN } from './path-counts.ts';

describe('countInterleavings', () => {
  test('is the number of schedules that an enumeration goes through', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const system = build(program);
        const before = [...system.machine.store.cells];
        expect(countInterleavings(system)).toBe(enumerate(() => build(program)).schedules);
        expect([...system.machine.store.cells]).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });

  // The counts that other engines have found for the canonical workload.
  test.each([
    ['S', '9.7e+13'],
    ['M', '5.7e+24'],
  ] as const)('the canonical workload %s', (size, expected) => {
    for (const countFailures of [true, false])
      expect(countInterleavings(asidShare({ ...SIZES[size], locked: false }), { countFailures })?.toPrecision(2)).toBe(
        expected,
      );
  });

  test('a loop that forgets can go on for ever', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    function* poll(): Task {
      for (;;) {
        yield* forget('again');
        if ((yield* cell.load()) === 1) return;
      }
    }
    const set = function* (): Task {
      yield* cell.store(1);
    };
    expect(countInterleavings(world(machine, [agent('a', [poll]), agent('b', [set])]))).toBe(Infinity);
  });

  test('a bound is kept', () => {
    expect(countInterleavings(asidShare({ ...SIZES.S, locked: true }), { statesMax: 100 })).toBeUndefined();
  });
});

describe('PathCounts', () => {
  test('is a map from pairs of words', () => {
    const counts = new PathCounts();
    for (const round of [0, 1])
      for (let at = 0; at < 20_000; at++) {
        const [low, high] = at === 0 ? [0, 0] : [mixLow(at, 1) & 0xff, mixHigh(at, 1)];
        expect(counts.of(low, high)).toBe(round === 0 ? UNKNOWN : at);
        if (round === 0) counts.set(low, high, at);
      }
    expect(counts.size).toBe(20_000);
  });
});
