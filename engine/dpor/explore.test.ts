import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../../bench/workloads/asid-share.ts';
import { Cell } from '../cell.ts';
import type { Failure } from '../failure.ts';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import { search } from '../search/search.ts';
import type { System } from '../system.ts';
import { buildContended, contended, type Contended } from '../testing/contended.ts';
import { build, programs, type Program } from '../testing/programs.ts';
import { nameOf, schedules, type Schedule } from '../testing/schedules.ts';
import { traceOf } from '../testing/trace-of.ts';
import { agent as agentOf, effect, steps, world } from '../testing/world.ts';
import { exploreTarget, exploreTraces } from './explore.ts';
import type { TraceOptions, TraceResult } from './options.ts';
import { SystemTarget } from './system-target.ts';
import type { TraceTarget } from './target.ts';

interface Explored {
  readonly result: TraceResult;
  readonly traces: string[];
  readonly states: Set<string>;
  readonly failures: Set<string>;
}

/** Explores everything, whatever fails. */
function explore(system: System, options: TraceOptions = {}, adapt = (target: TraceTarget) => target): Explored {
  const { store } = system.machine;
  const ends: (readonly number[])[] = [];
  const failing: { failure: Failure; schedule: readonly number[]; atEnd: boolean }[] = [];
  const states = new Set<string>();
  const target = new SystemTarget(system);
  const result = exploreTarget(adapt(target), {
    wanted: () => false,
    ...options,
    onTrace: (schedule) => {
      ends.push(schedule);
      states.add(store.cells.subarray(0, store.size).join());
    },
    onFailure: (failure, schedule) => {
      const atEnd = ends.at(-1)?.join() === schedule.join();
      failing.push({ failure, schedule, atEnd });
    },
  });
  target.reset();
  const failures = failing.map(({ failure, schedule, atEnd }) => nameFailure(system, failure, schedule, atEnd));
  const traces = ends.map((schedule) => traceOf(system, schedule, 'all'));
  return { result, traces, states, failures: new Set(failures) };
}

function nameFailure(system: System, failure: Failure, schedule: readonly number[], atEnd: boolean): string {
  return `${nameOf(failure)} ${traceOf(system, schedule, atEnd ? 'all' : 'past of the last step')}`;
}

/** The failures of schedules, with what happens before each. */
function failuresOf(system: System, all: readonly Schedule[]): Set<string> {
  const names = new Map<string, string>();
  for (const { failure, agents, end, trace } of all)
    if (failure !== undefined && !names.has(trace))
      names.set(trace, nameFailure(system, failure, agents, end === 'finished'));
  return new Set(names.values());
}

const anyPrograms: fc.Arbitrary<Program | Contended> = fc.oneof(
  { weight: 3, arbitrary: contended },
  { weight: 1, arbitrary: programs },
);
const load = (program: Program | Contended): System => ('agents' in program ? buildContended(program) : build(program));
const SCHEDULES_MAX = 2_000;
const sorted = (set: Iterable<string>): string[] => [...set].sort();

/** Every schedule, or undefined if there are too many. */
function enumerate(program: Program | Contended, past: boolean): Schedule[] | undefined {
  try {
    return schedules(load(program), { past, most: SCHEDULES_MAX }).all;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

describe('against every schedule of generated programs', () => {
  test('every trace once, past steps that fail', () => {
    let traces = 0;
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const all = enumerate(program, true);
        fc.pre(all !== undefined);
        const explored = explore(load(program), { countFailures: true });
        const expected = new Set(all.map(({ trace }) => trace));
        const missing = all.find(({ trace }) => !explored.traces.includes(trace));
        expect(missing?.agents, 'missing').toBeUndefined();
        expect(explored.traces.toSorted()).toEqual(sorted(expected));
        expect(explored.result).toMatchObject({ verdict: 'exhausted', traces: expected.size, failed: 0 });
        expect(sorted(explored.states)).toEqual(sorted(new Set(all.map(({ state }) => state))));
        traces += expected.size;
      }),
      { numRuns: 500 },
    );
    expect(traces).toBeGreaterThan(2_000);
  });

  test('every trace once and each failure with each past, where a step that fails ends its execution', () => {
    let failed = 0;
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const all = enumerate(program, false);
        fc.pre(all !== undefined);
        const explored = explore(load(program));
        const ended = all.filter(({ end }) => end === 'finished');
        const expected = new Set(ended.map(({ trace }) => trace));
        const missing = ended.find(({ trace }) => !explored.traces.includes(trace));
        expect(missing?.agents, 'missing').toBeUndefined();
        expect(explored.traces.toSorted()).toEqual(sorted(expected));
        const failures = failuresOf(load(program), all);
        expect(sorted(explored.failures)).toEqual(sorted(failures));
        failed += failures.size;
      }),
      { numRuns: 500 },
    );
    expect(failed).toBeGreaterThan(500);
  });

  test('the first failure ends it, with a schedule that shows it', () => {
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const result = exploreTraces(load(program));
        expect(result.verdict).toBe(search(load(program), { order: 'dfs' }).verdict);
        if (result.schedule === undefined) return;
        expect(result.failures).toBe(1);
        expect(observe(load(program), result.schedule).failure).toEqual(result.failure);
      }),
      { numRuns: 300 },
    );
  });
});

describe('waits that look at more in another state', () => {
  /**
   * Agent 2's wait looks at cell 1 only where cell 2 has been written and cell 0 has not. Of the execution 000 11 1 222 that
   * is seen only when asked whether the wait could end before the very first event; and then the race with agent 1's write
   * of cell 1 is to be reversed, too: 000 11 2 1 22.
   */
  const program: Contended = {
    agents: [
      [{ kind: 'write', cell: 0, value: 1 }, { kind: 'read', cell: 0 }, { kind: 'lock' }],
      [
        { kind: 'write', cell: 2, value: 1 },
        { kind: 'read', cell: 0 },
        { kind: 'await', until: { are: 'all', of: [{ cell: 1, value: 0 }] }, cell: 1, value: 1 },
      ],
      [
        {
          kind: 'await',
          until: {
            are: 'any',
            of: [
              { cell: 2, value: 0 },
              { cell: 0, value: 1 },
              { cell: 1, value: 0 },
            ],
          },
          cell: 1,
          value: 0,
        },
        { kind: 'writeIf', when: { are: 'all', of: [{ cell: 0, value: 0 }] }, cell: 0, value: 0 },
        { kind: 'skipIf0', cell: 0 },
      ],
    ],
    daemon: false,
  };

  test('shown by a question about the state before the first event', () => {
    const expected = new Set(schedules(load(program), { past: true }).all.map(({ trace }) => trace));
    const { traces } = explore(load(program), { countFailures: true });
    expect(traces).toContain(traceOf(load(program), [0, 0, 0, 1, 1, 2, 1, 2, 2], 'all'));
    expect(traces.toSorted()).toEqual(sorted(expected));
    expect(traces).toHaveLength(16);
  });
});

describe('targets that can do less', () => {
  test('one that cannot undo is led there again: the same executions', () => {
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const withUndo = explore(load(program));
        const without = explore(load(program), {}, (target) => again(target, true));
        expect(without.traces).toEqual(withUndo.traces);
        expect(without.failures).toEqual(withUndo.failures);
        expect({ ...without.result, repeated: 0 }).toEqual(withUndo.result);
      }),
      { numRuns: 100 },
    );
  });

  test('one that cannot tell whether a step would have been ready: the same traces', () => {
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const knowing = explore(load(program));
        const guessing = explore(load(program), {}, (target) => again(target, false));
        expect(guessing.traces.toSorted()).toEqual(knowing.traces.toSorted());
        expect(sorted(guessing.failures)).toEqual(sorted(knowing.failures));
      }),
      { numRuns: 200 },
    );
  });
});

/** A target without `backTo`, and perhaps without `readyAfter`. */
function again(target: TraceTarget, knows: boolean): TraceTarget {
  const less: TraceTarget = {
    agents: target.agents,
    footprints: target.footprints,
    reset: () => target.reset(),
    enabled: (agent) => target.enabled(agent),
    watched: (agent) => target.watched(agent),
    step: (agent) => target.step(agent),
    get failure() {
      return target.failure;
    },
    conclude: () => target.conclude(),
  };
  return knows ? Object.assign(less, { readyAfter: target.readyAfter?.bind(target) }) : less;
}

describe('things that come up', () => {
  test('what steps iterate over is complete before it counts', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'entry');
    const known = new Set<Cell>();
    const flush = effect('flush', () => {
      for (const entry of known) entry.value = 0;
    });
    const fill = effect('fill', () => {
      if (!known.has(cell)) machine.store.epoch++;
      known.add(cell);
      cell.value = 1;
    });
    const system = world(machine, [agentOf('flusher', [steps(() => flush)]), agentOf('filler', [steps(() => fill)])]);
    const states = new Set<number>();
    let restarts = 0;
    const options = { onTrace: () => states.add(cell.value), onRestart: () => restarts++ };
    expect(exploreTraces(system, options)).toMatchObject({ verdict: 'exhausted', traces: 2 });
    expect([...states].sort()).toEqual([0, 1]);
    expect(restarts).toBe(1);
  });
});

describe('bounds are kept and reported', () => {
  const small = asidShare({ ...SIZES.S, locked: true });
  test.each([
    [{ executionsMax: 7 }, 'executions'],
    [{ depthMax: 7 }, 'depth'],
    [{ stepsMax: 77 }, 'steps'],
    [{ stop: () => true }, 'stopped'],
  ] as const)('%j', (options, bound) => {
    const result = exploreTraces(small, options);
    expect(result).toMatchObject({ verdict: 'bound', bound });
    if (bound === 'executions') expect(result.executions).toBe(7);
    if (bound === 'depth') expect(result.depth).toBe(7);
    if (bound === 'steps') expect(result.steps).toBe(77);
  });

  test('the store is as before', () => {
    const { store } = small.machine;
    const before = [...store.cells];
    const mark = store.mark();
    for (const options of [{}, { depthMax: 9 }, { executionsMax: 3 }]) exploreTraces(small, options);
    expect([...store.cells]).toEqual(before);
    expect(store.mark()).toBe(mark);
  });
});
