import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Automaton, type Node } from '../automaton.ts';
import type { Failure } from '../failure.ts';
import { HappensBefore } from '../happens-before.ts';
import type { System } from '../system.ts';
import { buildContended, contended, type Contended } from '../testing/contended.ts';
import { build, programs, type Program } from '../testing/programs.ts';
import { nameOf, schedules, type Schedule } from '../testing/schedules.ts';
import { TracedSteps } from '../traced-steps.ts';
import { exploreTraces } from './explore.ts';
import type { TraceOptions, TraceResult } from './options.ts';

/** Runs a schedule; the fingerprint of its happens-before relation, or of what happens before its last step. */
function traceOf(system: System, schedule: readonly number[], past: 'all' | 'of the last step' = 'all'): string {
  const { machine } = system;
  const automaton = new Automaton(system.agents);
  const steps = new TracedSteps(system, automaton, false);
  const nodes = system.agents.map((_, agent) => automaton.start(agent));
  const mark = machine.store.mark();
  const events = schedule.map((agent) => {
    const node = nodes[agent] as Node;
    machine.current = agent;
    nodes[agent] = steps.step(node);
    machine.current = -1;
    machine.failure = undefined;
    return { agent, node, footprint: steps.footprint };
  });
  machine.store.rollback(mark);
  const kept = new Set(events);
  if (past !== 'all') {
    const needed = [events.at(-1)];
    kept.clear();
    for (let at = events.length - 1; at >= 0; at--) {
      const event = events[at] as (typeof events)[number];
      const isNeeded = needed.some(
        (later) =>
          later === event ||
          later?.agent === event.agent ||
          steps.footprints.dependent(later?.footprint ?? event.footprint, event.footprint),
      );
      if (!isNeeded) continue;
      needed.push(event);
      kept.add(event);
    }
  }
  const relation = new HappensBefore();
  relation.begin();
  for (const event of events) if (kept.has(event)) relation.step(event.node, event.footprint);
  return `${relation.low} ${relation.high}`;
}

interface Explored {
  readonly result: TraceResult;
  readonly traces: string[];
  readonly states: Set<string>;
  readonly failures: Set<string>;
}

function explore(system: System, options: TraceOptions = {}): Explored {
  const { store } = system.machine;
  const schedulesSeen: (readonly number[])[] = [];
  const failing: { failure: Failure; schedule: readonly number[]; atEnd: boolean }[] = [];
  const states = new Set<string>();
  const result = exploreTraces(system, {
    wanted: () => false,
    ...options,
    onTrace: (schedule) => {
      schedulesSeen.push(schedule);
      states.add(store.cells.subarray(0, store.size).join());
    },
    onFailure: (failure, schedule) =>
      failing.push({ failure, schedule, atEnd: schedulesSeen.at(-1)?.join() === schedule.join() }),
  });
  const failures = failing.map(({ failure, schedule, atEnd }) => nameFailure(system, failure, schedule, atEnd));
  return {
    result,
    traces: schedulesSeen.map((schedule) => traceOf(system, schedule)),
    states,
    failures: new Set(failures),
  };
}

function nameFailure(
  system: System,
  failure: Failure | undefined,
  schedule: readonly number[],
  atEnd: boolean,
): string {
  return `${nameOf(failure)} ${traceOf(system, schedule, atEnd ? 'all' : 'of the last step')}`;
}

const anyPrograms: fc.Arbitrary<Program | Contended> = fc.oneof(
  { weight: 3, arbitrary: contended },
  { weight: 1, arbitrary: programs },
);
const load = (program: Program | Contended): System => ('agents' in program ? buildContended(program) : build(program));

function show(all: readonly Schedule[], missing: string | undefined): string {
  const one = all.find(({ trace }) => trace === missing);
  return one === undefined ? '' : one.agents.join();
}

describe('every trace once', () => {
  test('past steps that fail', () => {
    let blocked = 0;
    let traces = 0;
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const { all } = schedules(load(program), { past: true });
        const explored = explore(load(program), { countFailures: true });
        const expected = new Set(all.map(({ trace }) => trace));
        const missing = [...expected].find((trace) => !explored.traces.includes(trace));
        expect(show(all, missing), 'missing').toBe('');
        expect(explored.traces.toSorted()).toEqual([...expected].sort());
        expect(explored.result.traces).toBe(expected.size);
        expect([...explored.states].sort()).toEqual([...new Set(all.map(({ state }) => state))].sort());
        blocked += explored.result.blocked;
        traces += explored.result.traces;
      }),
      { numRuns: Number(process.env['RUNS'] ?? 500) },
    );
    if (process.env['RUNS'] !== undefined) console.log({ blocked, traces });
  });

  test('each failure with each past, when a step that fails ends its execution', () => {
    fc.assert(
      fc.property(anyPrograms, (program) => {
        const { all } = schedules(load(program));
        const explored = explore(load(program));
        const ended = all.filter(({ end }) => end === 'finished');
        const expected = new Set(ended.map(({ trace }) => trace));
        const missing = [...expected].find((trace) => !explored.traces.includes(trace));
        expect(show(all, missing), 'missing').toBe('');
        expect(explored.traces.toSorted()).toEqual([...expected].sort());
        const system = load(program);
        const failures = new Set(
          all
            .filter(({ failure }) => failure !== undefined)
            .map(({ failure, agents, end }) => nameFailure(system, failure, agents, end === 'finished')),
        );
        expect([...explored.failures].sort()).toEqual([...failures].sort());
      }),
      { numRuns: Number(process.env['RUNS'] ?? 500) },
    );
  });
});
