import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import type { Task } from '../step.ts';
import { agent, failures, shortestFailure, steps, world } from '../testing/world.ts';
import { Mutex } from './lock.ts';
import { codeArgument, codeNumber, workCode } from './work-code.ts';
import { WorkQueue } from './work-queue.ts';

function make() {
  const machine = new Machine();
  return {
    machine,
    queue: new WorkQueue(machine, 'wq'),
    last: new Cell(machine, 'last'),
    sum: new Cell(machine, 'sum'),
  };
}

describe('WorkQueue', () => {
  test('runs works in order; flush waits until all have run', () => {
    const { machine, queue, last, sum } = make();
    const work = queue.work(function* (argument): Task {
      const before = yield* last.load();
      if (before > argument) machine.fail({ monitor: 't', rule: 'order', message: 'Out of order.' });
      yield* last.store(argument);
      const total = yield* sum.load();
      yield* sum.store(total + argument);
    });
    const user = function* (): Task {
      for (const argument of [1, 2, 3]) yield* queue.queue(work, argument);
      yield* queue.flush();
      if ((yield* sum.load()) !== 6) machine.fail({ monitor: 't', rule: 'flush', message: 'Not flushed.' });
    };
    expect(failures(world(machine, [agent('u', [user]), queue.daemon()]))).toEqual([]);
  });

  test('a work that is queued already is not queued again; another argument is another work', () => {
    const { machine, queue } = make();
    const work = queue.work(() => steps()());
    const user = steps(...[5, 5, -6, -6].map((argument) => () => queue.queue(work, argument)));
    const { steps: list } = observe(world(machine, [agent('u', [user]), queue.daemon()]), [0, 0, 0, 0, 1, 1, 1, 1]);
    expect(list.map(({ label, result }) => `${label}: ${String(result)}`)).toEqual([
      'queue_work wq: true',
      'queue_work wq: false',
      'queue_work wq: true',
      'queue_work wq: false',
      'take work: 5',
      'work done: undefined',
      `take work: ${workCode(0, -6)}`,
      'work done: undefined',
    ]);
  });

  test('arguments and numbers survive being one result', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer(), (number, argument) => {
        const code = workCode(number, argument);
        expect([codeNumber(code), codeArgument(code)]).toEqual([number, argument]);
      }),
    );
  });

  test('the worker is in process context, flush sleeps', () => {
    const { machine, queue } = make();
    const lock = new Mutex(machine, 'lock');
    const work = queue.work(() =>
      steps(
        () => lock.lock(),
        () => lock.unlock(),
      )(),
    );
    const user = steps(
      () => queue.queue(work, 0),
      () => queue.flush(),
    );
    expect(failures(world(machine, [agent('u', [user]), queue.daemon()]))).toEqual([]);
    expect(failures(world(machine, [agent('u', [user], { context: 'softirq' }), queue.daemon()]))).toEqual([
      'safety/sleep-in-atomic/flush_workqueue(wq)',
    ]);
  });

  test('flush under a lock that the work needs is a deadlock through the worker', () => {
    const { machine, queue } = make();
    const lock = new Mutex(machine, 'lock');
    const work = queue.work(() =>
      steps(
        () => lock.lock(),
        () => lock.unlock(),
      )(),
    );
    const user = steps(
      () => queue.queue(work, 0),
      () => lock.lock(),
      () => queue.flush(),
      () => lock.unlock(),
    );
    const system = world(machine, [agent('u', [user]), queue.daemon()]);
    expect(failures(system)).toEqual(['deadlock/lock-cycle/lock + works of wq']);
    expect(shortestFailure(system)).toBe('Deadlock: u waits for works of wq, held by wq worker (ended by the worker).');
  });

  test('without its worker, flush waits for ever', () => {
    const { machine, queue } = make();
    const work = queue.work(() => steps()());
    const user = steps(
      () => queue.queue(work, 0),
      () => queue.flush(),
    );
    expect(failures(world(machine, [agent('u', [user])]))).toEqual(['deadlock/lost-wake-up/works of wq']);
  });

  test('what does not fit, or was never declared, is an error of the harness', () => {
    const { machine, queue } = make();
    const work = queue.work(() => steps()());
    const many = steps(...Array.from({ length: 9 }, (_, argument) => () => queue.queue(work, argument)));
    expect(() => failures(world(machine, [agent('u', [many])]))).toThrow('more than 8 works queued');
    const unknown = steps(() => queue.queue(work + 1, 0));
    expect(() => failures(world(machine, [agent('u', [unknown]), queue.daemon()]))).toThrow('work was never declared');
  });
});
