import { describe, expect, test } from 'vitest';
import { Cell } from './cell.ts';
import { Machine } from './machine.ts';
import { ObjectPool } from './object.ts';
import { observe } from './observe.ts';
import { search } from './search/search.ts';
import { step, type Step, type Task } from './step.ts';
import { Completion } from './sync/completion.ts';
import { agent, effect, failures, shortestFailure, steps, world } from './testing/world.ts';

function domains(capacity = 2) {
  const machine = new Machine();
  const pool = new ObjectPool(machine, 'domain', capacity, (slot) => ({
    name: slot.name,
    handle: slot.handle,
    asid: slot.cell('asid', (_offset, value) => `ASID ${value}`),
    flags: slot.cell('flags'),
    lock: slot.mutex('lock'),
    spin: slot.spinlock('spin'),
    users: slot.refcount('users'),
  }));
  return { machine, pool };
}

describe('ObjectPool', () => {
  test('handles begin at 1, and 0 says that the pool is exhausted', () => {
    const { pool } = domains();
    expect([pool.alloc(), pool.alloc(), pool.alloc(), pool.alloc()]).toEqual([1, 2, 0, 0]);
    expect([pool.at(1).name, pool.at(2).handle, pool.capacity, pool.kind]).toEqual(['domain0', 2, 2, 'domain']);
  });

  test('a freed object is not reused', () => {
    const { pool } = domains(3);
    pool.alloc();
    pool.free(1);
    expect(pool.alloc()).toBe(2);
    expect(pool.live()).toEqual([2]);
    expect([pool.isLive(0), pool.isLive(1), pool.isLive(2), pool.isLive(3)]).toEqual([false, false, true, false]);
  });

  test('what is no handle is refused', () => {
    const { pool } = domains();
    for (const handle of [0, -1, 3, Number.NaN]) expect(() => pool.at(handle)).toThrow('is no handle');
  });

  test('double free, and free of what was never allocated', () => {
    const { machine, pool } = domains();
    pool.alloc();
    const free = (handle: number) => steps(() => effect('kfree', () => pool.free(handle)));
    const twice = world(machine, [agent('a', [free(1)]), agent('b', [free(1)])]);
    expect(failures(twice)).toEqual(['safety/double-free/domain']);
    expect(shortestFailure(twice)).toBe('b frees domain0, which is not allocated.');
    expect(failures(world(machine, [agent('a', [free(2)])]))).toEqual(['safety/double-free/domain']);
  });

  type View = ReturnType<ReturnType<typeof domains>['pool']['at']>;
  const USES: readonly (readonly [string, (view: View) => Step])[] = [
    ['load', (view) => view.asid.load()],
    ['store', (view) => view.flags.store(1)],
    ['cmpxchg', (view) => view.asid.cmpxchg(0, 1)],
    ['mutex lock', (view) => view.lock.lock()],
    ['mutex unlock', (view) => view.lock.unlock()],
    ['spinlock lock', (view) => view.spin.lock()],
    ['refcount get', (view) => view.users.get()],
    ['refcount put', (view) => view.users.put()],
    ['refcount incNotZero', (view) => view.users.incNotZero()],
  ];
  test.each(USES)('use after free: %s', (_name, use) => {
    const { machine, pool } = domains();
    pool.alloc();
    const user = (): Task =>
      (function* (): Task {
        yield* use(pool.at(1));
      })();
    const freer = steps(() => effect('kfree', () => pool.free(1)));
    const after = observe(world(machine, [agent('user', [user]), agent('freer', [freer])]), [1, 0]);
    expect(after.failure).toMatchObject({
      monitor: 'safety',
      rule: 'use-after-free',
      data: { kind: 'domain', object: 'domain0' },
    });
    expect(after.failure?.message).toMatch(/^user uses domain0\.\w+ of domain0, which is already freed\.$/);
  });

  test('use of an object that was never allocated', () => {
    const { machine, pool } = domains();
    const system = world(machine, [agent('a', [steps(() => pool.at(1).asid.store(4))])]);
    expect(shortestFailure(system)).toBe('a uses domain0.asid of domain0, which is never allocated.');
  });

  test('a lock freed while another agent waits for it: the waiter uses it after the free, whoever ran before', () => {
    const { machine, pool } = domains();
    pool.alloc();
    const holder = steps(
      () => pool.at(1).lock.lock(),
      () => effect('kfree', () => pool.free(1)),
      () => effect('more', () => undefined),
    );
    const waiter = steps(() => pool.at(1).lock.lock());
    const system = world(machine, [agent('holder', [holder]), agent('waiter', [waiter])]);
    const stuck = 'Nobody can go on: holder waits for domain0.lock, held by waiter (ended by unlock).';
    const uses = 'waiter uses domain0.lock of domain0, which is already freed.';
    for (const order of ['bfs', 'dfs'] as const) {
      const seen = new Set<string>();
      search(system, { order, wanted: ({ message }) => (seen.add(message), false) });
      expect([...seen].sort()).toEqual([stuck, uses]);
    }
    expect(observe(system, [0, 0, 1])).toMatchObject({ failure: { message: uses } });
    expect(observe(system, [0, 0, 0])).toMatchObject({ failure: undefined, ended: false });
  });

  test('a completion freed while an agent waits for it', () => {
    const machine = new Machine();
    let live = 1;
    const dead = {
      isLive: () => live === 1,
      check: () => void (live === 0 && machine.fail({ monitor: 's', rule: 'uaf', message: 'U.' })),
    };
    const done = new Completion(machine, 'done', dead);
    expect(done.ready()).toBe(false);
    live = 0;
    expect(done.ready()).toBe(true);
    expect(machine.failure).toBeUndefined();
    done.wait().run();
    expect(machine.failure?.rule).toBe('uaf');
  });
});

describe('Cell', () => {
  test('cmpxchg writes only on a match, and returns what was there', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    const system = world(machine, [
      agent('a', [
        steps(
          () => cell.cmpxchg(0, 5),
          () => cell.cmpxchg(0, 6),
        ),
      ]),
    ]);
    const { steps: list } = observe(system, [0, 0]);
    expect(list.map(({ result, changes }) => [result, changes.length])).toEqual([
      [0, 1],
      [5, 0],
    ]);
    expect(list[0]?.changes).toEqual([{ cell: expect.any(Number) as number, name: 'cell', before: '0', after: '5' }]);
  });

  test('two increments by load and store may lose one, by cmpxchg they cannot', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    const quiescent = (): void => {
      if (cell.value !== 2) machine.fail({ monitor: 't', rule: 'lost-update', message: 'Lost.' });
    };
    const plain = function* (): Task {
      const value = yield* cell.load();
      yield* cell.store(value + 1);
    };
    const atomic = function* (): Task {
      for (;;) {
        const value = yield* cell.load();
        if ((yield* cell.cmpxchg(value, value + 1)) === value) return;
      }
    };
    const both = (task: () => Task) =>
      failures(world(machine, [agent('a', [task]), agent('b', [task])], { quiescent }));
    expect(both(plain)).toEqual(['t/lost-update']);
    expect(both(atomic)).toEqual([]);
    expect(step('x', () => 1).wait).toBeUndefined();
  });
});
