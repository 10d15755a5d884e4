import { describe, expect, test } from 'vitest';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { ObjectPool } from '../object.ts';
import { search } from '../search/search.ts';
import type { Task } from '../step.ts';
import { agent, effect, failures, shortestFailure, steps, world } from '../testing/world.ts';
import { Mutex } from './lock.ts';
import { Rcu } from './rcu.ts';

/** A pointer to an object that an updater replaces and frees, and readers that follow it. */
function pointer(sleepable = false) {
  const machine = new Machine();
  const rcu = new Rcu(machine, sleepable ? 'srcu' : 'rcu', { sleepable });
  const pool = new ObjectPool(machine, 'node', 2, (slot) => ({ value: slot.cell('value') }));
  const head = new Cell(machine, 'head');
  head.value = pool.alloc();
  const read = function* (): Task {
    yield* rcu.readLock();
    const node = yield* head.load();
    if (node !== 0) yield* pool.at(node).value.load();
    yield* rcu.readUnlock();
  };
  const unlink = (): ReturnType<Cell['store']> => head.store(0);
  const free = (): ReturnType<typeof effect> => effect('kfree node', () => pool.free(1));
  return { machine, rcu, pool, head, read, unlink, free };
}

describe.each([
  ['RCU', false],
  ['SRCU', true],
])('%s', (_name, sleepable) => {
  test('synchronize waits for the readers that were inside', () => {
    const { machine, rcu, read, unlink, free } = pointer(sleepable);
    const update = function* (): Task {
      yield* unlink();
      yield* rcu.synchronize();
      yield* free();
    };
    expect(failures(world(machine, [agent('r', [read, read]), agent('s', [read]), agent('u', [update])]))).toEqual([]);
  });

  test('without it, use after free is found and named', () => {
    const { machine, read, unlink, free } = pointer(sleepable);
    const system = world(machine, [agent('r', [read]), agent('u', [steps(unlink, free)])]);
    expect(failures(system)).toEqual(['safety/use-after-free/node']);
    expect(shortestFailure(system)).toBe('r uses node0.value of node0, which is already freed.');
  });

  test('synchronize does not wait for later readers, nor for nested sections to begin again', () => {
    const { machine, rcu } = pointer(sleepable);
    const nested = steps(
      () => rcu.readLock(),
      () => rcu.readLock(),
      () => rcu.readUnlock(),
      () => rcu.readUnlock(),
    );
    const wait = (): Task => rcu.synchronize();
    const system = world(machine, [agent('r', [nested, nested]), agent('a', [wait]), agent('b', [wait])]);
    expect(search(system, { order: 'dfs' }).verdict).toBe('exhausted');
  });

  test('a callback runs after the grace period, with its argument, and once', () => {
    const { machine, rcu, read, unlink, pool } = pointer(sleepable);
    const callback = rcu.onGracePeriod((handle) => steps(() => effect('free', () => pool.free(handle)))());
    const update = steps(unlink, () => rcu.call(callback, 1));
    const system = world(machine, [agent('r', [read]), agent('u', [update]), rcu.daemon()]);
    expect(failures(system)).toEqual([]);
    const leak = {
      quiescent: () => void (pool.live().length > 0 && machine.fail({ monitor: 't', rule: 'leak', message: 'L.' })),
    };
    expect(failures(world(machine, system.agents, leak))).toEqual([]);
    expect(failures(world(machine, system.agents.slice(0, 2), leak))).toEqual(['t/leak']);
  });

  test('arguments of 32 bits arrive whole', () => {
    const { machine, rcu } = pointer(sleepable);
    const got = new Cell(machine, 'got');
    rcu.onGracePeriod(() => steps()());
    const callback = rcu.onGracePeriod((argument) => steps(() => got.store(argument))());
    for (const argument of [0, 1, 0x12345678, -1, -(2 ** 31), 2 ** 31 - 1]) {
      const quiescent = (): void => {
        if (got.value !== argument) machine.fail({ monitor: 't', rule: 'lost', message: 'Lost.' });
      };
      const agents = [agent('u', [steps(() => rcu.call(callback, argument))]), rcu.daemon()];
      expect(failures(world(machine, agents, { quiescent }))).toEqual([]);
    }
  });

  test('leaving a section that was not entered', () => {
    const { machine, rcu } = pointer(sleepable);
    expect(shortestFailure(world(machine, [agent('r', [steps(() => rcu.readUnlock())])]))).toContain(
      'that it is not in.',
    );
  });

  test('a reader that never leaves: the updater can never go on', () => {
    const { machine, rcu } = pointer(sleepable);
    const agents = [agent('u', [() => rcu.synchronize()]), agent('r', [steps(() => rcu.readLock())])];
    const system = world(machine, agents);
    expect(failures(system)).toEqual([`deadlock/never-unlocked/grace period of ${rcu.name}`]);
    expect(shortestFailure(system)).toBe(
      `Nobody can go on: u waits for grace period of ${rcu.name}, held by r (ended by ${rcu.name}_read_unlock).`,
    );
  });

  test('more grace periods than fit is an error of the harness', () => {
    const { machine, rcu } = pointer(sleepable);
    const callback = rcu.onGracePeriod(() => steps()());
    const many = steps(() => rcu.readLock(), ...Array.from({ length: 9 }, () => () => rcu.call(callback, 0)));
    expect(() => failures(world(machine, [agent('u', [many])]))).toThrow('more than 8 grace periods at once');
  });

  test('a callback that was never declared is an error of the harness', () => {
    const { machine, rcu } = pointer(sleepable);
    expect(() => failures(world(machine, [agent('u', [steps(() => rcu.call(3, 0))]), rcu.daemon()]))).toThrow(
      'was never declared',
    );
  });
});

describe('contexts', () => {
  test('an RCU reader must not sleep, an SRCU reader may', () => {
    for (const sleepable of [false, true]) {
      const { machine, rcu } = pointer(sleepable);
      const lock = new Mutex(machine, 'lock');
      const task = steps(
        () => rcu.readLock(),
        () => lock.lock(),
        () => lock.unlock(),
        () => rcu.readUnlock(),
      );
      expect(failures(world(machine, [agent('r', [task])]))).toEqual(
        sleepable ? [] : ['safety/sleep-in-atomic/mutex_lock(lock)'],
      );
    }
  });

  test('synchronize sleeps; inside its own read section it waits for itself', () => {
    const plain = pointer(false);
    const inside = (rcu: Rcu) =>
      function* (): Task {
        yield* rcu.readLock();
        yield* rcu.synchronize();
      };
    expect(shortestFailure(world(plain.machine, [agent('u', [inside(plain.rcu)])]))).toContain(
      'may sleep (synchronize_rcu)',
    );
    const srcu = pointer(true);
    expect(failures(world(srcu.machine, [agent('u', [inside(srcu.rcu)])]))).toEqual([
      'deadlock/lock-cycle/grace period of srcu',
    ]);
  });

  test('callbacks run in softirq context', () => {
    const { machine, rcu } = pointer();
    const lock = new Mutex(machine, 'lock');
    const callback = rcu.onGracePeriod(() => steps(() => lock.lock())());
    expect(failures(world(machine, [agent('u', [steps(() => rcu.call(callback, 0))]), rcu.daemon()]))).toEqual([
      'safety/sleep-in-atomic/mutex_lock(lock)',
    ]);
  });

  test('the classic SRCU deadlock: synchronize under a mutex that a reader wants', () => {
    const { machine, rcu } = pointer(true);
    const lock = new Mutex(machine, 'lock');
    const update = function* (): Task {
      yield* lock.lock();
      yield* rcu.synchronize();
      yield* lock.unlock();
    };
    const read = steps(
      () => rcu.readLock(),
      () => lock.lock(),
      () => lock.unlock(),
      () => rcu.readUnlock(),
    );
    const system = world(machine, [agent('u', [update]), agent('r', [read])]);
    expect(failures(system)).toEqual(['deadlock/lock-cycle/grace period of srcu + lock']);
    expect(shortestFailure(system)).toContain('u waits for grace period of srcu, held by r');
  });
});
