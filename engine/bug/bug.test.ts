import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import { Runner } from '../run.ts';
import { search } from '../search/search.ts';
import { replay } from '../strategies/replay.ts';
import type { Task } from '../step.ts';
import { Mutex } from '../sync/lock.ts';
import { build, programs } from '../testing/programs.ts';
import { agent, effect, steps, world } from '../testing/world.ts';
import { bugKey, bugName, bugOf } from './bug.ts';
import { ORDER, ordered } from './order.ts';
import { Places } from './places.ts';
import { racesOf } from './races.ts';

/** CPU0 stores twice and stores a note; CPU1 loads between and fails if it sees the first store. */
function publisher() {
  const machine = new Machine();
  const cell = new Cell(machine, 'cell');
  const note = new Cell(machine, 'note');
  const lock = new Mutex(machine, 'lock');
  function* look(): Task {
    yield* lock.lock();
    const seen = yield* cell.load();
    yield* lock.unlock();
    yield* effect(`judge ${seen}`, () => {
      if (seen === 1)
        machine.fail({ monitor: 'test', rule: 'seen', message: 'It saw 1.', data: { promise: 'never 1' } });
    });
  }
  const publish = steps(
    () => note.store(7),
    () => cell.store(1),
    () => cell.store(2),
  );
  return world(machine, [agent('a', [publish]), agent('b', [look])]);
}

const failing = [0, 0, 1, 1, 1, 1];

describe('where a run failed', () => {
  test('is the same in a run, in a replay from the memo, and in a search', () => {
    const places = new Places(publisher(), () => 'nothing');
    const { system } = places;
    const runner = new Runner(system);
    const keys = [1, 2].map(() => {
      runner.run(replay(failing), 0);
      const { failure } = system.machine;
      return failure === undefined ? '' : bugKey(failure, places.of(failure));
    });
    runner.close();
    const { failure } = search(system, { order: 'dfs' });
    if (failure === undefined) expect.fail('not found');
    expect(new Set([...keys, bugKey(failure, places.of(failure))]).size).toBe(1);
    expect(places.of(failure)).toEqual({
      operation: 'b #',
      step: 'judge #',
      path: ['lock lock', 'load cell', 'unlock lock', 'judge #'],
      through: 'nothing',
    });
  });

  test('is nowhere for a deadlock', () => {
    const machine = new Machine();
    const locks = [new Mutex(machine, 'x'), new Mutex(machine, 'y')] as const;
    const both = (first: Mutex, second: Mutex) =>
      steps(
        () => first.lock(),
        () => second.lock(),
      );
    const places = new Places(
      world(machine, [agent('a', [both(locks[0], locks[1])]), agent('b', [both(locks[1], locks[0])])]),
    );
    const { failure } = search(places.system, { order: 'bfs', wanted: ({ rule }) => rule === 'lock-cycle' });
    if (failure === undefined) expect.fail('not found');
    expect(places.of(failure)).toBeUndefined();
    expect(bugKey(failure, undefined)).toBe('{"rule":"deadlock/lock-cycle/x + y"}');
  });

  test('watching changes nothing: the same verdict, states and failure', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const plain = search(build(program), { order: 'bfs' });
        const watched = search(new Places(build(program)).system, { order: 'bfs' });
        expect(watched).toEqual(plain);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the races of a run', () => {
  test('are those by which the failing operation was influenced, without locks', () => {
    const observation = observe(publisher(), failing);
    const text = 'a #: cell := # → b #: load cell';
    const read = 'b #: load cell, late: cell';
    expect(racesOf(observation)).toEqual([{ first: 1, second: 3, cell: 'cell', text, read }]);
  });

  test('count what was read too early, too', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    function* stale(): Task {
      const seen = yield* cell.load();
      yield* effect('act', () => {
        if (seen !== cell.value) machine.fail({ monitor: 'test', rule: 'stale', message: 'It has changed.' });
      });
    }
    const system = world(machine, [agent('a', [stale]), agent('b', [steps(() => cell.store(1))])]);
    // The failing step reads what was written, and the first one was overtaken.
    expect(racesOf(observe(system, [0, 1, 0])).map(({ first, second }) => [first, second])).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  test('are none between operations one after the other', () => {
    const observation = observe(publisher(), [0, 0, 0, 1, 1, 1, 1]);
    expect(racesOf(observation)).toEqual([]);
  });

  test('and everything else make the name of a bug', () => {
    const places = new Places(publisher());
    const observation = observe(places.system, failing);
    const { failure } = observation;
    if (failure === undefined) expect.fail('it did not fail');
    const bug = bugOf(failure, places.of(failure), observation);
    expect(bug).toEqual({
      rule: 'test/seen',
      promise: 'never 1',
      at: 'b #: judge #',
      path: ['lock lock', 'load cell', 'unlock lock', 'judge #'],
      races: ['a #: cell := # → b #: load cell'],
    });
    expect(bugName(bug)).toMatch(/^test\/seen-[\da-f]{16}$/);
    expect(bugName({ ...bug, races: [] })).not.toBe(bugName(bug));
    expect(bugName({ ...bug })).toBe(bugName(bug));
  });
});

describe('a system under an order', () => {
  const store = (ordinal: number) => ({ agent: 0, operation: 0, shape: 'cell := #', ordinal });
  const load = { agent: 1, operation: 0, shape: 'load cell', ordinal: 0 };

  function verdict(first: typeof load, then: typeof load): string {
    const system = publisher();
    const flag = system.machine.store.reserve(1, 'flag');
    return search(ordered(system, flag, first, then), {
      order: 'dfs',
      wanted: ({ rule }) => rule === 'seen',
    }).verdict;
  }

  test('shows which orders a failure needs', () => {
    expect(verdict(store(0), load)).toBe('violation');
    expect(verdict(load, store(0))).toBe('exhausted');
    expect(verdict(store(1), load)).toBe('exhausted');
    expect(verdict(load, store(1))).toBe('violation');
    // The note has nothing to do with it: both orders fail.
    const note = { ...store(0), shape: 'note := #' };
    expect(verdict(note, load)).toBe('violation');
  });

  test('waits in words of its own, and keeps those of a lock', () => {
    const system = publisher();
    const flag = system.machine.store.reserve(1, 'flag');
    const never = { ...load, shape: 'never' };
    const { failure } = observe(ordered(system, flag, never, store(0)), [0, 1, 1, 1, 1]);
    expect(failure?.data?.['kind']).toBe(ORDER);
  });
});
