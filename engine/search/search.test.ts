import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cell } from '../cell.ts';
import { fingerprint } from '../failure.ts';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import { forget, type Task } from '../step.ts';
import { Mutex } from '../sync/lock.ts';
import { enumerate } from '../testing/naive.ts';
import { build, programs } from '../testing/programs.ts';
import { agent, effect, steps, world } from '../testing/world.ts';
import { fewestSwitches, search } from './search.ts';

const ORDERS = ['bfs', 'dfs'] as const;

describe('search agrees with the enumeration of every schedule', () => {
  test('states, transitions, ends and failures', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const naive = enumerate(() => build(program));
        for (const order of ORDERS) {
          const seen = new Set<string>();
          const result = search(build(program), {
            order,
            reduction: 'none',
            wanted: (failure) => {
              seen.add(failure.monitor === 'deadlock' ? 'stuck' : fingerprint(failure));
              return false;
            },
          });
          expect(result.verdict).toBe('exhausted');
          expect(result.states).toBe(naive.states.size);
          expect(result.transitions).toBe(naive.transitions.size);
          expect(result.ends).toBe(naive.ends.size);
          expect([...seen].sort()).toEqual([...naive.failures].sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  test('breadth first: the shortest counterexample; depth first: some counterexample; both replay', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const naive = enumerate(() => build(program));
        for (const order of ORDERS) {
          const result = search(build(program), { order });
          expect(result.verdict).toBe(naive.failures.size === 0 ? 'exhausted' : 'violation');
          if (result.schedule === undefined) continue;
          if (order === 'bfs') expect(result.schedule.length).toBe(naive.shortest);
          else expect(result.schedule.length).toBeGreaterThanOrEqual(naive.shortest);
          expect(observe(build(program), result.schedule).failure).toEqual(result.failure);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('fewest switches, and fewest steps with so few', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const naive = enumerate(() => build(program));
        const result = fewestSwitches(build(program), { switchesMax: 8 });
        expect(result.verdict).toBe(naive.failures.size === 0 ? 'exhausted' : 'violation');
        if (result.verdict !== 'violation') return;
        expect(result.switches).toBe(naive.switches);
        expect(result.schedule?.length).toBe(naive.shortestWithFewestSwitches);
        for (const order of ORDERS)
          if (naive.switches > 0)
            expect(search(build(program), { order, switchesMax: naive.switches - 1 }).verdict).toBe('exhausted');
      }),
      { numRuns: 300 },
    );
  });
});

/** Two agents that each take `length` steps that change a cell of their own. */
function lattice(length: number): ReturnType<typeof world> {
  const machine = new Machine();
  const one = (name: string): ReturnType<typeof agent> => {
    const cell = new Cell(machine, name);
    return agent(name, [steps(...Array.from({ length }, (_, at) => () => cell.store(at + 1)))]);
  };
  return world(machine, [one('a'), one('b')]);
}

describe('bounds are kept and reported', () => {
  test.each(ORDERS)('%s: none of them when the search exhausts', (order) => {
    const result = search(lattice(10), { order, reduction: 'none' });
    expect(result).toEqual({ verdict: 'exhausted', states: 121, transitions: 220, ends: 1, depth: 20, failures: 0 });
  });

  test.each(ORDERS)('%s: states', (order) => {
    expect(search(lattice(10), { order, statesMax: 50 })).toMatchObject({
      verdict: 'bound',
      bound: 'states',
      states: 50,
    });
  });

  test.each(ORDERS)('%s: steps', (order) => {
    expect(search(lattice(10), { order, stepsMax: 7 })).toMatchObject({ verdict: 'bound', bound: 'steps', depth: 7 });
  });

  test.each(ORDERS)('%s: stop', (order) => {
    let asked = 0;
    const stop = (): boolean => ++asked === 2;
    const result = search(lattice(200), { order, stop });
    expect(result).toMatchObject({ verdict: 'bound', bound: 'stopped' });
    expect(result.states).toBeLessThan(201 * 201);
  });

  test.each(ORDERS)('%s: switches', (order) => {
    // Without a switch only the two orders of whole agents remain: 1 + 4 × 10 states, and (last agent, switches) tells some apart.
    expect(search(lattice(10), { order, switchesMax: 0 })).toMatchObject({ verdict: 'exhausted', transitions: 40 });
    const bounded = [1, 2, 3].map((switchesMax) => search(lattice(4), { order, switchesMax }).states);
    expect(bounded).toEqual([...bounded].sort((a, b) => a - b));
  });

  test.each(ORDERS)('%s: a large switch bound keeps states apart', (order) => {
    const free = search(lattice(40), { order, switchesMax: 79 });
    expect(free.states).toBeGreaterThan(41 * 41);
    expect(free).toMatchObject({ verdict: 'exhausted', ends: expect.any(Number) as number });
    expect(search(lattice(40), { order: 'bfs', switchesMax: 79 }).states).toBe(free.states);
  });
});

describe('loops that forget have finitely many states', () => {
  /** One agent retries until a flag is set that another one sets after some steps; or nobody sets it. */
  function retrying(setter: boolean): ReturnType<typeof world> {
    const machine = new Machine();
    const flag = new Cell(machine, 'flag');
    const other = new Cell(machine, 'other');
    function* retry(): Task {
      do yield* forget('retry');
      while ((yield* flag.load()) === 0);
      yield* other.store(0);
    }
    const set = steps(
      () => other.store(1),
      () => flag.store(1),
    );
    return world(machine, [agent('retry', [retry]), ...(setter ? [agent('set', [set])] : [])]);
  }

  test.each([
    ['bfs', 'none'],
    ['dfs', 'none'],
    ['dfs', 'sleep'],
  ] as const)('%s, reduction %s: a retry loop is exhausted', (order, reduction) => {
    // Flag and steps of the setter (3), times retrying, about to store, or ended (only once the flag is set): 3 + 2.
    expect(search(retrying(true), { order, reduction })).toMatchObject({ verdict: 'exhausted', states: 5, ends: 1 });
    expect(search(retrying(false), { order, reduction })).toMatchObject({ verdict: 'exhausted', states: 1, ends: 0 });
  });
});

describe('failures', () => {
  /** A run leaks, as only its end shows, if a came last or b saw what a wrote: ends at depths 2 and 6, some of them wrong. */
  function leaky(): ReturnType<typeof world> {
    const machine = new Machine();
    const a = new Cell(machine, 'a');
    const b = new Cell(machine, 'b');
    const quiescent = (): void => {
      if (a.value === 1) machine.fail({ monitor: 'safety', rule: 'leak', message: 'Left over.' });
    };
    function* watcher(): Task {
      if ((yield* a.load()) === 1) return;
      for (let value = 1; value <= 3; value++) yield* b.store(value);
      yield* a.store(2);
    }
    return world(machine, [agent('a', [steps(() => a.store(1))]), agent('b', [watcher])], { quiescent });
  }

  test.each(ORDERS)('%s: a failure at the end is found, with the whole schedule', (order) => {
    const result = search(leaky(), { order });
    expect(result).toMatchObject({ verdict: 'violation', failures: 1, failure: { rule: 'leak' } });
    expect(observe(leaky(), result.schedule ?? [])).toMatchObject({ ended: true, failure: { rule: 'leak' } });
  });

  test.each(ORDERS)('%s: an unwanted failure at an end leaves the rest of the search alone', (order) => {
    const result = search(leaky(), { order, reduction: 'none', wanted: () => false });
    expect(result).toMatchObject({ verdict: 'exhausted', states: 14, transitions: 16, ends: 3 });
  });

  test('a failure that is not wanted is not explored beyond, and every failure is counted when asked', () => {
    const fails = (kind: string) => (): ReturnType<typeof effect> =>
      effect(kind, () => machine.fail({ monitor: 'test', rule: kind, message: 'It fails.' }));
    const machine = new Machine();
    const system = world(machine, [agent('a', [steps(fails('first'), fails('second'))])]);
    for (const order of ORDERS) {
      expect(search(system, { order }).failure?.rule).toBe('first');
      expect(search(system, { order, wanted: (failure) => failure.rule === 'second' })).toMatchObject({ states: 1 });
      expect(search(system, { order, countFailures: true })).toMatchObject({ states: 3, failures: 2 });
      const wanted = (failure: { rule: string }): boolean => failure.rule === 'second';
      expect(search(system, { order, countFailures: true, wanted })).toMatchObject({ states: 3, failures: 1 });
    }
  });

  test('a check after each step sees who ran, and may fail the run', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    const check = (): void => {
      if (cell.value === 2)
        machine.fail({ monitor: 'test', rule: 'two', message: `${machine.agentName(machine.current)} made it 2.` });
    };
    const agents = [agent('a', [steps(() => cell.store(1))]), agent('b', [steps(() => cell.store(2))])];
    const system = world(machine, agents, { check });
    for (const order of ORDERS) expect(search(system, { order }).failure?.message).toBe('b made it 2.');
    expect(observe(system, [0, 1]).failure?.message).toBe('b made it 2.');
  });

  test('the store is as before when a search returns, whatever its verdict', () => {
    fc.assert(
      fc.property(programs, fc.constantFrom(...ORDERS), (program, order) => {
        const system = build(program);
        const before = [...system.machine.store.cells];
        const mark = system.machine.store.mark();
        search(system, { order });
        expect([...system.machine.store.cells]).toEqual(before);
        expect(system.machine.store.mark()).toBe(mark);
        expect(system.machine.current).toBe(-1);
      }),
      { numRuns: 50 },
    );
  });
});

describe('fewestSwitches', () => {
  test('a deadlock is found before a failing step of one step more', () => {
    const program = [
      [[{ kind: 'increment', cell: 0 }]],
      [
        [
          { kind: 'skipIf0', cell: 0 },
          { kind: 'unlock', lock: 0 },
        ],
        [{ kind: 'wait' }],
      ],
    ] as const;
    for (const result of [search(build(program), { order: 'bfs' }), fewestSwitches(build(program), { switchesMax: 1 })])
      expect(result).toMatchObject({
        verdict: 'violation',
        failures: 1,
        schedule: { length: 3 },
        failure: { rule: 'lost-wake-up' },
      });
  });

  test('says what was exhausted when nothing is found', () => {
    expect(fewestSwitches(lattice(3), { switchesMax: 2 })).toMatchObject({ verdict: 'exhausted', switches: 2 });
  });

  test('stops at a bound', () => {
    const result = fewestSwitches(lattice(10), { switchesMax: 3, statesMax: 20 });
    expect(result).toMatchObject({ verdict: 'bound', bound: 'states', switches: 0 });
  });

  test('a negative bound is refused', () => {
    expect(() => fewestSwitches(lattice(1), { switchesMax: -1 })).toThrow(RangeError);
  });

  test('a move away from a waiting agent is no switch', () => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const cell = new Cell(machine, 'cell');
    const fail = (): void => {
      if (cell.value === 1) machine.fail({ monitor: 'test', rule: 'seen', message: 'Seen.' });
    };
    const a = steps(
      () => lock.lock(),
      () => lock.unlock(),
      () => lock.lock(),
      () => effect('look', fail),
    );
    const b = steps(
      () => lock.lock(),
      () => cell.store(1),
      () => lock.unlock(),
    );
    const wanted = (failure: { rule: string }): boolean => failure.rule === 'seen';
    expect(
      fewestSwitches(world(machine, [agent('a', [a]), agent('b', [b])]), { switchesMax: 4, wanted }),
    ).toMatchObject({
      verdict: 'violation',
      switches: 0,
      schedule: [1, 1, 1, 0, 0, 0, 0],
    });
  });
});
