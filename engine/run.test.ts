import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cell } from './cell.ts';
import { Machine } from './machine.ts';
import { Random } from './random.ts';
import { Runner } from './run.ts';
import { pct } from './strategies/pct.ts';
import { randomWalk } from './strategies/random-walk.ts';
import { replay } from './strategies/replay.ts';
import { forget, waitStep, type Task } from './step.ts';
import { Mutex } from './sync/lock.ts';
import { enumerate } from './testing/naive.ts';
import { build, programs } from './testing/programs.ts';
import { agent, effect, steps, world } from './testing/world.ts';

describe('Runner', () => {
  test('random runs end in what the enumeration of every schedule knows', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const naive = enumerate(() => build(program));
        const runner = new Runner(build(program));
        for (let seed = 0; seed < 20; seed++) {
          const end = runner.run(seed % 2 === 0 ? randomWalk() : pct(3), seed);
          expect(end).toBe(runner.system.machine.failure === undefined ? 'finished' : 'failed');
          if (end === 'failed') expect(runner.steps).toBeGreaterThanOrEqual(naive.shortest);
          else expect(naive.failures.size).toBeLessThan(naive.schedules);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a run is a function of the schedule, however many runs came before', () => {
    const runner = new Runner(build([[[{ kind: 'increment', cell: 0 }]], [[{ kind: 'increment', cell: 0 }]]]));
    const { store } = runner.system.machine;
    const initial = [...store.cells];
    const final = (schedule: readonly number[]): number[] => {
      expect(runner.run(replay(schedule), 0)).toBe('finished');
      return [...store.cells.subarray(0, store.size)];
    };
    const serial = final([0, 0, 1, 1]);
    const lost = final([0, 1, 0, 1]);
    expect(serial).not.toEqual(lost);
    expect(final([0, 0, 1, 1])).toEqual(serial);
    runner.close();
    expect([...store.cells]).toEqual(initial);
  });

  test('the bound on steps is reported', () => {
    const spin = function* (): Task {
      for (;;) {
        yield* forget('spin');
        yield* effect('cpu_relax', () => undefined);
      }
    };
    const runner = new Runner(world(new Machine(), [agent('a', [spin])]), 100);
    expect(runner.run(randomWalk(), 1)).toBe('bound');
    expect(runner.steps).toBe(100);
    expect(runner.automaton.nodes).toHaveLength(1);
  });

  test('a replay that does not fit stops the run', () => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const both = steps(
      () => lock.lock(),
      () => lock.unlock(),
    );
    const runner = new Runner(world(machine, [agent('a', [both]), agent('b', [both])]));
    expect(runner.run(replay([0, 1]), 0)).toBe('stopped');
    expect(runner.steps).toBe(1);
    expect(machine.current).toBe(-1);
    expect(runner.run(replay([0, 0, 1, 1]), 0)).toBe('finished');
  });

  test('checks run after each step, and the end of a run is checked for what is left', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    let checks = 0;
    const system = world(
      machine,
      [
        agent('a', [
          steps(
            () => cell.store(1),
            () => cell.store(2),
          ),
        ]),
      ],
      {
        check: () => void checks++,
        quiescent: () => machine.fail({ monitor: 'safety', rule: 'leak', message: 'Left over.' }),
      },
    );
    const runner = new Runner(system);
    expect(runner.run(randomWalk(), 1)).toBe('failed');
    expect(machine.failure?.rule).toBe('leak');
    expect(checks).toBe(2);
  });

  test('a run ends at its first failure, and the next one starts clean', () => {
    const machine = new Machine();
    const fail = (rule: string) => () => effect(rule, () => machine.fail({ monitor: 'test', rule, message: 'No.' }));
    const runner = new Runner(world(machine, [agent('a', [steps(fail('one'), fail('two'))])]));
    for (let round = 0; round < 2; round++) {
      expect(runner.run(randomWalk(), round)).toBe('failed');
      expect(runner.steps).toBe(1);
      expect(machine.failure?.rule).toBe('one');
    }
    runner.reset();
    expect(machine.failure).toBeUndefined();
  });

  test('stepping by hand', () => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const runner = new Runner(
      world(machine, [agent('a', [steps(() => lock.lock())]), agent('b', [steps(() => lock.lock())])]),
    );
    const enabled = new Int32Array(16);
    expect(runner.enabledAgents(enabled)).toBe(2);
    expect(runner.stepOnce(1)).toBeUndefined();
    expect(runner.enabledAgents(enabled)).toBe(0);
    expect([...runner.schedule.subarray(0, runner.steps)]).toEqual([1]);
  });

  test('an agent that waits is not picked until its wait is over', () => {
    const machine = new Machine();
    const flag = new Cell(machine, 'flag');
    const order: string[] = [];
    const wait = { name: 'flag', ready: () => flag.value === 1 };
    const waiter = function* (): Task {
      yield* waitStep('wait', wait, () => void order.push('wait'));
    };
    const setter = steps(() => effect('set', () => (order.push('set'), (flag.value = 1))));
    const runner = new Runner(world(machine, [agent('waiter', [waiter]), agent('setter', [setter])]));
    for (let seed = 0; seed < 10; seed++) expect(runner.run(randomWalk(), seed)).toBe('finished');
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 'set' : 'wait')));
  });
});

describe('Random', () => {
  test('is a function of its seed, with no seed that is stuck', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const one = new Random(seed);
        const list = Array.from({ length: 20 }, () => one.next());
        one.seed(seed);
        expect(Array.from({ length: 20 }, () => one.next())).toEqual(list);
        expect(new Set(list).size).toBeGreaterThan(18);
      }),
    );
  });

  test('neighbouring seeds are unrelated', () => {
    const counts = Array.from({ length: 8 }, () => 0);
    const random = new Random(0);
    for (let seed = 0; seed < 8_000; seed++) {
      random.seed(seed);
      const value = random.below(8);
      counts[value] = (counts[value] as number) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  test('stays below its bound', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 65_536 }), (seed, bound) => {
        const random = new Random(seed);
        for (let at = 0; at < 20; at++) {
          const value = random.below(bound);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(bound);
        }
      }),
    );
  });
});
