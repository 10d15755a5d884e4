import { describe, expect, test } from 'vitest';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import type { Task } from '../step.ts';
import { agent, failures, shortestFailure, steps, world } from '../testing/world.ts';
import { Refcount } from './refcount.ts';

function counted(first: number): { machine: Machine; count: Refcount } {
  const machine = new Machine();
  const count = new Refcount(machine, 'mm0.users');
  count.value = first;
  return { machine, count };
}

describe('Refcount', () => {
  test('put says who dropped the last reference: exactly one agent, in every interleaving', () => {
    const { machine, count } = counted(2);
    const last = machine.store.reserve(1, 'last');
    const put = function* (): Task {
      if (yield* count.put()) machine.current = -1;
    };
    const system = world(machine, [agent('a', [put]), agent('b', [put])]);
    for (const schedule of [
      [0, 1],
      [1, 0],
    ])
      expect(observe(system, schedule).steps.map(({ result }) => result)).toEqual([false, true]);
    expect(machine.store.get(last)).toBe(0);
  });

  test('resurrected: get after the count reached 0', () => {
    const { machine, count } = counted(1);
    const system = world(machine, [agent('a', [steps(() => count.put())]), agent('b', [steps(() => count.get())])]);
    expect(failures(system)).toEqual(['safety/refcount-resurrected/mm.users']);
    expect(shortestFailure(system)).toBe('b takes a reference to an object whose count is already 0 (mm0.users).');
  });

  test('underflow: more puts than references', () => {
    const { machine, count } = counted(1);
    const put = steps(() => count.put());
    const system = world(machine, [agent('a', [put]), agent('b', [put])]);
    expect(failures(system)).toEqual(['safety/refcount-underflow/mm.users']);
    expect(shortestFailure(system)).toContain('drops a reference that nobody holds');
  });

  test('incNotZero is the safe get', () => {
    const { machine, count } = counted(1);
    const reader = function* (): Task {
      if (yield* count.incNotZero()) yield* count.put();
    };
    expect(failures(world(machine, [agent('a', [steps(() => count.put())]), agent('b', [reader])]))).toEqual([]);
  });

  test('set and value', () => {
    const { machine, count } = counted(0);
    const system = world(machine, [
      agent('a', [
        steps(
          () => count.set(3),
          () => count.get(),
          () => count.put(),
        ),
      ]),
    ]);
    const values: number[] = [];
    observe(
      system,
      [0, 0, 0],
      () => [],
      () => values.push(count.value),
    );
    expect(values).toEqual([3, 4, 3]);
  });
});
