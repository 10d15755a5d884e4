import { describe, expect, test } from 'vitest';
import { Machine } from '../machine.ts';
import type { Task } from '../step.ts';
import { agent, effect, failures, shortestFailure, steps, world } from '../testing/world.ts';
import { Mutex, SpinLock } from './lock.ts';

const LOCKS = [
  ['mutex', Mutex],
  ['spinlock', SpinLock],
] as const;

describe.each(LOCKS)('%s', (_name, Lock) => {
  test('excludes', () => {
    const machine = new Machine();
    const lock = new Lock(machine, 'lock');
    const inside = machine.store.reserve(1, 'inside');
    const enter = (): void => {
      if (machine.store.get(inside) === 1)
        machine.fail({ monitor: 'test', rule: 'both-inside', message: 'Both inside.' });
      if (!lock.isHeld()) machine.fail({ monitor: 'test', rule: 'not-held', message: 'Not held.' });
      machine.store.set(inside, 1);
    };
    const body = (locked: boolean) =>
      steps(
        ...(locked ? [() => lock.lock()] : []),
        () => effect('enter', enter),
        () => effect('leave', () => machine.store.set(inside, 0)),
        ...(locked ? [() => lock.unlock()] : []),
      );
    expect(failures(world(machine, [agent('a', [body(true)]), agent('b', [body(true)])]))).toEqual([]);
    expect(failures(world(machine, [agent('a', [body(true)]), agent('b', [body(false)])]))).toEqual([
      'test/both-inside',
      'test/not-held',
    ]);
  });

  test('unlock of what another agent holds, or nobody', () => {
    const machine = new Machine();
    const lock = new Lock(machine, 'lock');
    const a = steps(
      () => lock.lock(),
      () => lock.unlock(),
    );
    expect(shortestFailure(world(machine, [agent('a', [a]), agent('b', [steps(() => lock.unlock())])]))).toBe(
      'b unlocks lock, which it does not hold.',
    );
  });

  test('a deadlock names the cycle: who waits for what, held by whom', () => {
    const machine = new Machine();
    const [one, two] = [new Lock(machine, 'one'), new Lock(machine, 'two')];
    const take = (first: Mutex | SpinLock, second: Mutex | SpinLock) =>
      steps(
        () => first.lock(),
        () => second.lock(),
        () => second.unlock(),
        () => first.unlock(),
      );
    const abba = world(machine, [agent('a', [take(one, two)]), agent('b', [take(two, one)])]);
    if (Lock === Mutex || Lock === SpinLock) expect(failures(abba)).toEqual(['deadlock/lock-cycle/one + two']);
    expect(shortestFailure(abba)).toBe(
      'Deadlock: a waits for two, held by b (ended by unlock); b waits for one, held by a (ended by unlock).',
    );
    expect(failures(world(machine, [agent('a', [take(one, two)]), agent('b', [take(one, two)])]))).toEqual([]);
  });

  test('taking a lock twice is a cycle of one', () => {
    const machine = new Machine();
    const lock = new Lock(machine, 'lock');
    expect(
      shortestFailure(
        world(machine, [
          agent('a', [
            steps(
              () => lock.lock(),
              () => lock.lock(),
            ),
          ]),
        ]),
      ),
    ).toBe('Deadlock: a waits for lock, held by a (ended by unlock).');
  });

  test('never unlocked: the holder has ended', () => {
    const machine = new Machine();
    const lock = new Lock(machine, 'lock');
    const [a, b] = [
      steps(() => lock.lock()),
      steps(
        () => lock.lock(),
        () => lock.unlock(),
      ),
    ];
    const system = world(machine, [agent('a', [a]), agent('b', [b])]);
    expect(failures(system)).toEqual(['deadlock/never-unlocked/lock']);
    expect(shortestFailure(system)).toBe('Nobody can go on: b waits for lock, held by a (ended by unlock).');
  });

  test('an agent outside a cycle is named with what it waits for, but is no part of the bug', () => {
    const machine = new Machine();
    const [one, two] = [new Lock(machine, 'one'), new Lock(machine, 'two')];
    const take = (...locks: readonly (Mutex | SpinLock)[]) => steps(...locks.map((lock) => () => lock.lock()));
    const system = world(machine, [
      agent('c', [take(one)]),
      agent('a', [take(one, two)]),
      agent('b', [take(two, one)]),
    ]);
    expect(failures(system)).toContain('deadlock/lock-cycle/one + two');
  });
});

describe('sleeping', () => {
  test.each(['softirq', 'atomic'] as const)('a mutex in %s context', (context) => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const both = steps(
      () => lock.lock(),
      () => lock.unlock(),
    );
    expect(shortestFailure(world(machine, [agent('a', [both], { context })]))).toBe(
      `a may sleep (mutex_lock(lock)) in ${context} context.`,
    );
    expect(failures(world(machine, [agent('a', [both])]))).toEqual([]);
  });

  test('a mutex while a spinlock is held; not after it was released', () => {
    const machine = new Machine();
    const [spin, mutex] = [new SpinLock(machine, 'spin'), new Mutex(machine, 'mutex')];
    const inside = steps(
      () => spin.lock(),
      () => mutex.lock(),
    );
    const after = steps(
      () => spin.lock(),
      () => spin.unlock(),
      () => mutex.lock(),
      () => mutex.unlock(),
    );
    expect(shortestFailure(world(machine, [agent('a', [inside])]))).toBe(
      'a may sleep (mutex_lock(mutex)) while it holds a spinlock or is in an RCU read section.',
    );
    expect(failures(world(machine, [agent('a', [after]), agent('b', [after])]))).toEqual([]);
  });

  test('a spinlock may be taken in any context', () => {
    const machine = new Machine();
    const lock = new SpinLock(machine, 'lock');
    const both = steps(
      () => lock.lock(),
      () => lock.unlock(),
    );
    const agents = [agent('a', [both], { context: 'atomic' }), agent('b', [both], { context: 'softirq' })];
    expect(failures(world(machine, agents))).toEqual([]);
  });

  test('set-up may sleep, and takes no part in atomic sections', () => {
    const machine = new Machine();
    machine.mightSleep('set-up');
    machine.enterAtomic();
    machine.mightSleep('set-up');
    expect(machine.failure).toBeUndefined();
  });

  test('a world with too many agents is refused', () => {
    const machine = new Machine();
    machine.current = 16;
    expect(() => machine.enterAtomic()).toThrow('a world has at most 16 agents');
  });
});

test('a failure in set-up names it', () => {
  const machine = new Machine();
  const lock = new Mutex(machine, 'lock');
  const task: Task = (function* () {
    yield* lock.unlock();
  })();
  const pending = task.next().value as { run: () => void };
  machine.current = 3;
  pending.run();
  expect(machine.failure?.message).toBe('set-up unlocks lock, which it does not hold.');
});
