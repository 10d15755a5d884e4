import { describe, expect, test } from 'vitest';
import { countInterleavings } from '../../engine/dpor/count-interleavings.ts';
import { exploreTraces } from '../../engine/dpor/explore.ts';
import type { TraceResult } from '../../engine/dpor/options.ts';
import { fingerprint } from '../../engine/failure.ts';
import { observe } from '../../engine/observe.ts';
import { search } from '../../engine/search/search.ts';
import type { System } from '../../engine/system.ts';
import { traceOf } from '../../engine/testing/trace-of.ts';
import { asid } from './index.ts';

/** Executions after which a litmus is left: some have millions of traces, although few states. */
const EXECUTIONS_MAX = 1_200;

const cases = asid.litmus.flatMap(({ id, configuration, program, hazards }) =>
  [undefined, ...hazards].map((hazard) => ({
    name: hazard === undefined ? id : `${id}, ${hazard}`,
    load: (): System => asid.world(configuration, hazard).load(program),
  })),
);

interface Explored {
  readonly result: TraceResult;
  readonly failures: readonly string[];
  readonly schedules: readonly (readonly number[])[];
}

function explore(system: System): Explored {
  const failures = new Set<string>();
  const schedules: (readonly number[])[] = [];
  const result = exploreTraces(system, {
    executionsMax: EXECUTIONS_MAX,
    wanted: () => false,
    onFailure: (failure) => failures.add(fingerprint(failure)),
    onTrace: (schedule) => schedules.push(schedule),
    onRestart: () => {
      failures.clear();
      schedules.splice(0);
    },
  });
  return { result, failures: [...failures].sort(), schedules };
}

function failuresOf(system: System): string[] {
  const failures = new Set<string>();
  search(system, {
    order: 'dfs',
    wanted: (failure) => {
      failures.add(fingerprint(failure));
      return false;
    },
  });
  return [...failures].sort();
}

describe('litmus tests by traces', () => {
  const explored = cases.map(({ name, load }) => ({ name, load, ...explore(load()) }));
  const exhausted = explored.filter(({ result }) => result.verdict === 'exhausted');

  test('many are exhausted, some of them with many traces', () => {
    expect(exhausted.length).toBeGreaterThan(cases.length / 2);
    expect(exhausted.some(({ result }) => result.traces > 500)).toBe(true);
    expect(exhausted.some(({ failures }) => failures.length > 0)).toBe(true);
  });

  test.each(exhausted.map((one) => [one.name, one] as const))('%s: the failures that a search finds', (_, one) => {
    expect(one.failures).toEqual(failuresOf(one.load()));
    const { verdict, schedule, failure } = exploreTraces(one.load());
    expect(verdict).toBe(one.failures.length > 0 ? 'violation' : 'exhausted');
    if (schedule !== undefined) expect(observe(one.load(), schedule).failure).toEqual(failure);
  });

  test('no trace twice, and far fewer than schedules', () => {
    const [one] = exhausted.toSorted((a, b) => b.schedules.length - a.schedules.length);
    if (one === undefined) throw new Error('nothing was exhausted');
    const system = one.load();
    const traces = one.schedules.map((schedule) => traceOf(system, schedule, 'all'));
    expect(new Set(traces).size).toBe(one.result.traces);
    expect(one.result.traces).toBeLessThan((countInterleavings(one.load()) ?? 0) / 100);
  });
});
