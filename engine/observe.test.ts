import { describe, expect, test } from 'vitest';
import { Cell } from './cell.ts';
import { fingerprint } from './failure.ts';
import { Machine } from './machine.ts';
import { observe, type ObservedStep } from './observe.ts';
import { search } from './search/search.ts';
import { Mutex } from './sync/lock.ts';
import type { Task } from './step.ts';
import { agent, effect, steps, world } from './testing/world.ts';

function twoAgents() {
  const machine = new Machine();
  const x = new Cell(machine, 'x');
  const table = machine.store.reserve(4, 'table', (offset, value) => `entry ${offset} = ${value}`);
  const hidden = machine.store.reserve(1, 'hidden');
  const lock = new Mutex(machine, 'lock');
  const set = (cell: number, value: number): void => machine.store.set(cell, value);
  const writer = function* (): Task {
    yield* lock.lock();
    const before = yield* x.load();
    yield* effect('fill', () => {
      set(table + 2, before + 7);
      set(table + 2, before + 8);
      set(table + 3, 1);
      set(table + 3, 0);
      set(hidden, 1);
    });
    yield* lock.unlock();
  };
  const reader = steps(
    () => lock.lock(),
    () => x.load(),
    () => x.load(),
    () => lock.unlock(),
  );
  const system = world(machine, [agent('writer', [writer]), agent('reader', [reader])]);
  return { machine, x, table, hidden, system };
}

describe('observe', () => {
  test('labels, operations, results and how often a label came before', () => {
    const { system } = twoAgents();
    const { steps: list, ended, failure } = observe(system, [0, 0, 0, 0, 1, 1, 1, 1]);
    const show = ({ agentName, operation, label, ordinal, result }: ObservedStep): string =>
      `${agentName}/${operation}: ${label} #${ordinal} = ${String(result)}`;
    expect(list.map(show)).toEqual([
      'writer/writer 0: lock lock #0 = undefined',
      'writer/writer 0: load x #0 = 0',
      'writer/writer 0: fill #0 = undefined',
      'writer/writer 0: unlock lock #0 = undefined',
      'reader/reader 0: lock lock #0 = undefined',
      'reader/reader 0: load x #0 = 0',
      'reader/reader 0: load x #1 = 0',
      'reader/reader 0: unlock lock #0 = undefined',
    ]);
    expect([ended, failure]).toEqual([true, undefined]);
  });

  test('changes are net, formatted, and only of what is meant to be shown; reads and writes are all cells', () => {
    const { system, table, hidden } = twoAgents();
    const { steps: list } = observe(system, [0, 0, 0]);
    expect(list[0]?.changes).toMatchObject([{ name: 'lock', before: 'free', after: 'held by writer' }]);
    expect(list[1]).toMatchObject({ changes: [], writes: [], reads: [expect.any(Number)] });
    expect(list[2]?.changes).toEqual([
      { cell: table + 2, name: 'table[2]', before: 'entry 2 = 0', after: 'entry 2 = 8' },
    ]);
    expect(list[2]?.writes).toEqual([table + 2, table + 3, hidden]);
  });

  test('a switch is a move away from an agent that could go on, and names what it would have done', () => {
    const { system } = twoAgents();
    const switches = observe(system, [0, 0, 0, 0, 1]).steps.map((step) => step.switchedFrom);
    expect(switches).toEqual([undefined, undefined, undefined, undefined, undefined]);
    const machine = new Machine();
    const x = new Cell(machine, 'x');
    const two = steps(
      () => x.store(1),
      () => x.store(2),
    );
    const moved = observe(world(machine, [agent('a', [two]), agent('b', [two])]), [0, 1, 1, 0]).steps;
    expect(moved.map((step) => step.switchedFrom)).toEqual([
      undefined,
      { agentName: 'a', next: 'x := 2' },
      undefined,
      undefined,
    ]);
  });

  test('a schedule that does not fit says where', () => {
    const { system } = twoAgents();
    expect(observe(system, [0, 1, 0])).toMatchObject({
      misfit: { step: 1, agent: 1 },
      ended: false,
      steps: { length: 1 },
    });
    expect(observe(system, [9])).toMatchObject({ misfit: { step: 0, agent: 9 }, steps: [] });
    expect(observe(system, [0])).not.toHaveProperty('misfit');
  });

  test('it ends with the first failure, a deadlock, or what is left over', () => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const fail = effect('fail', () => machine.fail({ monitor: 'm', rule: 'r', message: 'No.', data: { kind: 'k' } }));
    const failing = observe(
      world(machine, [
        agent('a', [
          steps(
            () => fail,
            () => fail,
          ),
        ]),
      ]),
      [0, 0],
    );
    expect(failing.steps).toHaveLength(1);
    expect(failing.failure === undefined ? '' : fingerprint(failing.failure)).toBe('m/r/k');
    const stuck = world(machine, [
      agent('a', [
        steps(
          () => lock.lock(),
          () => lock.lock(),
        ),
      ]),
    ]);
    expect(observe(stuck, [0])).toMatchObject({ failure: { rule: 'lock-cycle' }, ended: true });
    const quiescent = (): void => machine.fail({ monitor: 'm', rule: 'leak', message: 'Left.' });
    expect(observe(world(machine, [agent('a', [steps(() => lock.lock())])], { quiescent }), [0])).toMatchObject({
      failure: { rule: 'leak' },
    });
    expect(machine.failure).toBeUndefined();
    expect(machine.store.mark()).toBe(0);
  });

  test('notes: what appeared in the view of the world, and what is gone', () => {
    const { system, x, machine } = twoAgents();
    const view = (): string[] => [`x is ${x.value}`, ...(machine.store.get(0) === 0 ? ['idle'] : [])];
    const seen: string[] = [];
    const machine2 = new Machine();
    const y = new Cell(machine2, 'y');
    const own = world(machine2, [
      agent('a', [
        steps(
          () => y.store(1),
          () => y.store(1),
          () => y.store(2),
        ),
      ]),
    ]);
    observe(
      own,
      [0, 0, 0],
      () => [`y is ${y.value}`],
      (step) => seen.push(`${step.notes.join(' ')} (now ${y.value})`),
    );
    expect(seen).toEqual(['+ y is 1 - y is 0 (now 1)', ' (now 1)', '+ y is 2 - y is 1 (now 2)']);
    expect(observe(system, [0], view).steps[0]?.notes).toEqual([]);
  });

  test('the counterexample of a search is observed to the same failure', () => {
    const machine = new Machine();
    const [one, two] = [new Mutex(machine, 'one'), new Mutex(machine, 'two')];
    const a = steps(
      () => one.lock(),
      () => two.lock(),
    );
    const b = steps(
      () => two.lock(),
      () => one.lock(),
    );
    const system = world(machine, [agent('a', [a]), agent('b', [b])]);
    const wanted = (failure: { rule: string }): boolean => failure.rule === 'lock-cycle';
    const found = search(system, { order: 'bfs', wanted });
    expect(observe(system, found.schedule ?? []).failure).toEqual(found.failure);
    expect(found.failure?.data).toEqual({
      kind: 'one + two',
      waits: 'a waits for two, held by b (ended by unlock); b waits for one, held by a (ended by unlock)',
    });
  });
});
