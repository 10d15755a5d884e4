import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../bench/workloads/asid-share.ts';
import { Cell } from './cell.ts';
import { deterministic } from './determinism.ts';
import { HarnessError } from './failure.ts';
import { checkIsolation } from './isolation.ts';
import { Machine } from './machine.ts';
import { observe } from './observe.ts';
import { Runner } from './run.ts';
import { search } from './search/search.ts';
import { randomWalk } from './strategies/random-walk.ts';
import { forget, step, waitStep, type Result, type Task } from './step.ts';
import { Rcu } from './sync/rcu.ts';
import { WorkQueue } from './sync/work-queue.ts';
import type { System } from './system.ts';
import { build, programs } from './testing/programs.ts';
import { agent, effect, steps, world } from './testing/world.ts';

/** Every transition is made. */
const FULL = { order: 'dfs', reduction: 'none' } as const;

describe('what plays by the rules is unchanged', () => {
  test('generated programs: the same states, failures and counterexample', () => {
    fc.assert(
      fc.property(programs, (program) => {
        for (const order of ['bfs', 'dfs'] as const)
          expect(search(deterministic(build(program)), { order, reduction: 'none' })).toEqual(
            search(build(program), { order, reduction: 'none' }),
          );
      }),
      { numRuns: 100 },
    );
  });

  test('the canonical workload, both versions', () => {
    for (const locked of [true, false]) {
      const plain = search(asidShare({ ...SIZES.S, locked }), { ...FULL, countFailures: true });
      expect(
        search(deterministic(asidShare({ ...SIZES.S, locked })), {
          order: 'dfs',
          countFailures: true,
          reduction: 'none',
        }),
      ).toEqual(plain);
    }
  });

  test('daemons that forget: work queue and RCU callbacks', () => {
    const system = (): System => {
      const machine = new Machine();
      const queue = new WorkQueue(machine, 'wq');
      const rcu = new Rcu(machine, 'rcu');
      const cell = new Cell(machine, 'cell');
      const work = queue.work(function* (argument): Task {
        const before = yield* cell.load();
        yield* cell.store(before + argument);
      });
      const callback = rcu.onGracePeriod((argument) => steps(() => cell.store(-argument))());
      const user = (argument: number): (() => Task) =>
        function* (): Task {
          yield* rcu.readLock();
          yield* queue.queue(work, argument);
          yield* rcu.call(callback, argument);
          yield* rcu.readUnlock();
          yield* queue.flush();
        };
      return world(machine, [agent('a', [user(1)]), agent('b', [user(2)]), queue.daemon(), rcu.daemon()]);
    };
    expect(search(deterministic(system()), FULL)).toEqual(search(system(), FULL));
    checkIsolation(system, { runs: 30 });
  });

  test('an observed run keeps its reads, writes and notes', () => {
    const schedule = [0, 2, 2, 0, 1, 0, 1];
    const plain = observe(asidShare({ ...SIZES.S, locked: false }), schedule);
    expect(observe(deterministic(asidShare({ ...SIZES.S, locked: false })), schedule)).toEqual(plain);
  });
});

/** A world with two cells; what the cheat needs. */
interface Bench {
  readonly machine: Machine;
  readonly x: Cell;
  readonly y: Cell;
}

/** Searches a checked world in which agent "cheat" runs `task` beside an honest one. */
function searchChecked(task: (bench: Bench) => Task, check?: (bench: Bench) => () => void): void {
  const machine = new Machine();
  const bench: Bench = { machine, x: new Cell(machine, 'x'), y: new Cell(machine, 'y') };
  const honest = agent('honest', [
    steps(
      () => bench.x.store(1),
      () => bench.x.store(2),
    ),
  ]);
  const system = world(
    machine,
    [agent('cheat', [() => task(bench)]), honest],
    check === undefined ? {} : { check: check(bench) },
  );
  search(deterministic(system), FULL);
}

describe('what breaks the rules is caught, and named', () => {
  let outside = 0;

  test('a closure with a counter of its own', () => {
    function* task(): Task {
      let count = 0;
      yield* step('count', () => ++count);
    }
    expect(() => searchChecked(task)).toThrow(HarnessError);
    expect(() => searchChecked(task)).toThrow(
      'cheat, cheat 0, "count": run twice on the same state, it returned 1 and then 2.',
    );
  });

  test('writes that differ, though the result does not', () => {
    const values = [1, 2];
    const task = ({ y }: Bench): Task =>
      steps(() => effect('write', () => values.push(values.shift() as number) && (y.value = values[0] as number)))();
    expect(() => searchChecked(task)).toThrow(
      '"write": run twice on the same state, it wrote different values to the store.',
    );
  });

  test('a failure that is not reported each time', () => {
    let count = 0;
    const task = ({ machine }: Bench): Task =>
      steps(() =>
        effect('odd', () => ++count % 2 === 0 && machine.fail({ monitor: 't', rule: 'r', message: 'Odd.' })),
      )();
    expect(() => searchChecked(task)).toThrow(
      '"odd": run twice on the same state, it reported no failure and then "Odd.".',
    );
  });

  test('a variable assigned in a closure instead of returned from it', () => {
    function* task({ x, y }: Bench): Task {
      let seen = 0;
      yield* effect('look', () => (seen = x.value));
      yield* effect('use', () => (y.value = seen));
    }
    expect(() => searchChecked(task)).toThrow(
      '"use": run from a task rebuilt from the same results, it wrote different values',
    );
  });

  test('a captured variable that the task assigns after the step', () => {
    function* task({ y }: Bench): Task {
      let value = 1;
      yield* effect('first', () => (y.value = value));
      value = 2;
      yield* effect('second', () => (y.value = value));
    }
    expect(() => searchChecked(task)).toThrow(
      '"first": run again after its task has gone on, it wrote different values',
    );
  });

  test('a task whose steps depend on how often it was started', () => {
    let started = 0;
    function* task(): Task {
      yield* effect(`start ${++started}`, () => undefined);
    }
    expect(() => searchChecked(task)).toThrow(
      '"start 1": its task, rebuilt from the same results, comes to "start 2".',
    );
  });

  test('a task that ends or goes on by something else than its results', () => {
    let started = 0;
    function* task(): Task {
      if (++started % 2 === 1) yield* effect('odd', () => undefined);
    }
    expect(() => searchChecked(task)).toThrow('"odd": its task, rebuilt from the same results, comes to its end.');
  });

  test.each([
    ['an object', () => ({ asid: 1 }) as unknown as Result, '[object Object]'],
    ['not a number', () => Number.NaN, 'NaN'],
    ['null', () => null as unknown as Result, 'null'],
  ])('a result that is %s', (_what, run, shown) => {
    const task = (): Task => steps(() => step('give', run))();
    expect(() => searchChecked(task)).toThrow(`"give": returned ${shown}: a result must be`);
  });

  test('a result that differs, as text', () => {
    const task = (): Task => steps(() => step('name', () => `n${outside++ % 2}`))();
    expect(() => searchChecked(task)).toThrow('it returned "n0" and then "n1".');
  });

  test('the store read between steps', () => {
    function* task({ x, y }: Bench): Task {
      const value = x.value;
      yield* y.store(value);
    }
    expect(() => searchChecked(task)).toThrow('cheat, cheat 0: its task read x between steps: only a step may.');
  });

  test('the store written between steps', () => {
    function* task({ x, y }: Bench): Task {
      yield* y.store(1);
      x.value = 7;
    }
    expect(() => searchChecked(task)).toThrow('its task wrote x between steps');
  });

  test('a cell written without the undo log', () => {
    const task = ({ machine }: Bench): Task =>
      steps(() => effect('poke', () => machine.store.cells.fill(9, machine.store.size - 1)))();
    expect(() => searchChecked(task)).toThrow('"poke": wrote y without Store.set, so that it cannot be undone.');
  });

  test('a cell read behind the back of the store', () => {
    const task = ({ machine, y }: Bench): Task =>
      steps(() => effect('peek', () => (y.value = machine.store.cells[machine.store.size - 2] as number)))();
    expect(() => searchChecked(task)).toThrow(
      '"peek": run on two states in which it read the same, it wrote different values',
    );
  });

  test('cells reserved by a step', () => {
    const task = ({ machine }: Bench): Task => steps(() => effect('make', () => new Cell(machine, 'late')))();
    expect(() => searchChecked(task)).toThrow('"make": reserved cells of the store');
  });

  test.each([
    ['writes', ({ y }: Bench) => (y.value = 1) === 1, 'its wait wrote to the store.'],
    [
      'reports',
      ({ machine }: Bench) => (machine.fail({ monitor: 't', rule: 'r', message: 'W.' }), true),
      'its wait reported a failure.',
    ],
    [
      'depends on who runs',
      ({ machine }: Bench) => machine.current === 0,
      'its wait answered true and then false on the same state.',
    ],
  ])('a wait that %s', (_what, ready, message) => {
    function* task(bench: Bench): Task {
      yield* waitStep('wait', { name: 'it', ready: () => ready(bench) }, () => undefined);
    }
    expect(() => searchChecked(task)).toThrow(`cheat, cheat 0, "wait": ${message}`);
  });

  test('forget: tasks merged that write different values', () => {
    function* task({ x, y }: Bench): Task {
      const seen = yield* x.load();
      yield* forget('seen');
      yield* effect('use', () => (y.value = seen));
    }
    expect(() => searchChecked(task)).toThrow(
      '"use": run from a task that forget() merges with this one, it wrote different values',
    );
  });

  test('forget: tasks merged that part later', () => {
    function* task({ x, y }: Bench): Task {
      const seen = yield* x.load();
      yield* forget('seen');
      yield* y.store(3);
      if (seen === 1) yield* y.store(4);
      else yield* y.store(5);
    }
    expect(() => searchChecked(task)).toThrow(
      /"y := [45]": forget\(\) merges it with a task that comes to "y := [45]"/,
    );
  });

  test('forget: what is dead at one key cannot come back after the next', () => {
    function* task({ x, y }: Bench): Task {
      const seen = yield* x.load();
      yield* forget(1);
      yield* y.store(3);
      yield* forget(2);
      yield* effect('use', () => (y.value = seen));
    }
    expect(() => searchChecked(task)).toThrow('"use": run from a task that forget() merges with this one');
  });

  test('a check after a step that keeps count outside the store', () => {
    let count = 0;
    const check =
      ({ y }: Bench) =>
      (): void => {
        y.value = ++count;
      };
    expect(() => searchChecked(({ x }) => steps(() => x.store(5))(), check)).toThrow(
      '"x := 5": run twice on the same state, it wrote different values',
    );
  });
});

test('a check may take notes that the step left for it', () => {
  const machine = new Machine();
  const [x, seen] = [new Cell(machine, 'x'), new Cell(machine, 'seen')];
  let notes: number[] = [];
  const write = (value: number) => effect(`x := ${value}`, () => notes.push((x.value = value)));
  const check = (): void => {
    for (const note of notes) seen.value = note;
    notes = [];
  };
  const system = world(
    machine,
    [
      agent('a', [
        steps(
          () => write(1),
          () => write(2),
        ),
      ]),
      agent('b', [steps(() => write(3))]),
    ],
    { check },
  );
  expect(search(deterministic(system), FULL)).toEqual(search(system, FULL));
});

test('interning may make steps read more, if the store is told and what is new was 0 before', () => {
  const machine = new Machine();
  const [x, y] = [new Cell(machine, 'x'), new Cell(machine, 'y')];
  const interned = [x];
  const intern = effect('intern y', () => {
    if (!interned.includes(y)) {
      interned.push(y);
      machine.store.epoch++;
    }
    y.value = 2;
  });
  const sum = (): Task => steps(() => step('sum', () => interned.reduce((so, cell) => so + cell.value, 0)))();
  const agents = [agent('a', [sum, sum]), agent('b', [steps(() => intern)]), agent('c', [steps(() => x.store(1))])];
  expect(search(deterministic(world(machine, agents)), FULL)).toMatchObject({
    verdict: 'exhausted',
    ends: 1,
  });
});

describe('checkIsolation', () => {
  /** Two agents that talk through a JavaScript variable. */
  const leaky = (): System => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    let shared = 0;
    const writer = steps(() => effect('write', () => (shared = 5)));
    const reader = steps(() => effect('read', () => (cell.value = shared)));
    return world(machine, [agent('writer', [writer]), agent('reader', [reader])]);
  };

  test('finds a variable shared behind the store, which running a step twice cannot', () => {
    expect(search(deterministic(leaky()), FULL).verdict).toBe('exhausted');
    expect(() => checkIsolation(leaky)).toThrow(
      'reader, reader 0, "read": wrote something else in a world that was used before and rolled back.',
    );
  });

  test('finds results and labels that depend on earlier runs', () => {
    const counting = (make: (count: () => number) => () => Task) => (): System => {
      let runs = 0;
      return world(new Machine(), [agent('a', [make(() => runs++)])]);
    };
    const result = counting((count) => steps(() => step('give', count)));
    expect(() => checkIsolation(result)).toThrow('"give": returned 1 instead of 0');
    const label = counting((count) => () => steps(() => effect(`run ${count()}`, () => undefined))());
    expect(() => checkIsolation(label)).toThrow('"run 0": was "run 1"');
    const length = counting(
      (count) => () => steps(...(count() === 0 ? [() => effect('once', () => undefined)] : []))(),
    );
    expect(() => checkIsolation(length)).toThrow('"once": did not run in a world');
  });

  test('finds a monitor that remembers earlier runs', () => {
    const remembering = (): System => {
      const machine = new Machine();
      const cell = new Cell(machine, 'cell');
      let runs = 0;
      const quiescent = (): void => {
        if (++runs === 2) machine.fail({ monitor: 't', rule: 'r', message: 'Twice.' });
      };
      return world(machine, [agent('a', [steps(() => cell.store(1))])], { quiescent });
    };
    expect(() => checkIsolation(remembering)).toThrow('A run ends with no failure in a fresh world, and with "Twice."');
  });

  test('passes what plays by the rules', () => {
    checkIsolation(() => asidShare({ ...SIZES.S, locked: false }), { runs: 200 });
    fc.assert(
      fc.property(programs, (program) => checkIsolation(() => build(program), { runs: 5 })),
      { numRuns: 30 },
    );
  });
});

test('random runs are checked too', () => {
  const system = deterministic(asidShare({ ...SIZES.S, locked: true }));
  const runner = new Runner(system);
  for (let seed = 0; seed < 50; seed++) expect(runner.run(randomWalk(), seed)).toBe('finished');
});
