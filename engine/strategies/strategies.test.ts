import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../../bench/workloads/asid-share.ts';
import { Automaton } from '../automaton.ts';
import { HappensBefore } from '../happens-before.ts';
import { Runner } from '../run.ts';
import { step as stepOf, type Task } from '../step.ts';
import { watched } from '../statistics/watched.ts';
import { Store } from '../store.ts';
import { build, programs } from '../testing/programs.ts';
import { feedback } from './feedback.ts';
import { missedByAll, pct, pctBound } from './pct.ts';
import { pos } from './pos.ts';
import { randomWalk } from './random-walk.ts';
import { replay } from './replay.ts';
import type { RunView, Strategy } from './strategy.ts';
import { urw } from './urw.ts';

/** Every strategy must pass the laws: add new ones here. */
const STRATEGIES: readonly (readonly [string, () => Strategy])[] = [
  ['random', () => randomWalk()],
  ['pct1', () => pct(1)],
  ['pct3', () => pct()],
  ['pct8', () => pct(8)],
  ['pos', () => pos()],
  ['feedback2', () => feedback(2)],
  ['feedback3', () => feedback()],
  ['urw', () => urw()],
  // What looks on does not change what is done.
  ['urw', () => watched(urw(), new HappensBefore())],
  ['replay', () => replay([0, 1, 0, 1, 1, 0])],
];

/** A made-up run: which agents are enabled at each step. */
const enabledSets = fc.array(fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 6 }), { maxLength: 40 });

/** A program that never gets anywhere: each agent is always at its first step. */
function standingStill(agents: number, stepsExpected: number): RunView {
  function* forEver(): Task {
    for (;;) yield* stepOf('stand', () => 0);
  }
  const names = Array.from({ length: agents }, (_, agent) => `${agent}`);
  const operations = [{ label: 'stand', start: forEver }];
  const automaton = new Automaton(names.map((name) => ({ name, context: 'process', daemon: false, operations })));
  const nodes = names.map((_, agent) => automaton.start(agent));
  return { nodes, store: new Store(), schedule: new Int32Array(0), root: 0, stepsExpected, footprints: undefined };
}

/** What a strategy picks, step by step, until it gives up. */
function picks(strategy: Strategy, seed: number, sets: readonly (readonly number[])[], expected = 40): number[] {
  strategy.begin(seed, standingStill(6, expected));
  const into = new Int32Array(16).fill(-7);
  const picked: number[] = [];
  let previous = -1;
  for (const [step, set] of sets.entries()) {
    into.set([...set].sort((a, b) => a - b));
    previous = strategy.pick(into, set.length, step, previous);
    picked.push(previous);
    if (previous < 0) break;
  }
  return picked;
}

describe.each(STRATEGIES)('%s', (name, make) => {
  test('has the name that reports show', () => {
    expect(make().name).toBe(name);
  });

  test('picks an enabled agent, or gives up', () => {
    fc.assert(
      fc.property(fc.integer(), enabledSets, (seed, sets) => {
        picks(make(), seed, sets).forEach((agent, step) => {
          if (agent === -1) expect(name).toBe('replay');
          else expect(sets[step]).toContain(agent);
        });
      }),
    );
  });

  test('is a pure function of its seed: earlier runs leave nothing behind', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), enabledSets, enabledSets, (seed, other, sets, otherSets) => {
        const used = make();
        picks(used, other, otherSets);
        expect(picks(used, seed, sets)).toEqual(picks(make(), seed, sets));
      }),
    );
  });

  test('writes nothing into the enabled agents', () => {
    const strategy = make();
    strategy.begin(1, standingStill(3, 10));
    const enabled = Int32Array.of(0, 1, 2);
    for (let step = 0; step < 6; step++) strategy.pick(enabled, 3, step, step === 0 ? -1 : step % 3);
    expect([...enabled]).toEqual([0, 1, 2]);
  });
});

describe.each(STRATEGIES)('%s, many runs of one program', (_, make) => {
  /** The schedules that a strategy makes of a program, for some seeds in turn. */
  function schedules(strategy: Strategy, program: Parameters<typeof build>[0], seeds: readonly number[]): number[][] {
    const runner = new Runner(build(program), 300);
    return seeds.map((seed) => {
      runner.run(strategy, seed);
      return [...runner.schedule.subarray(0, runner.steps)];
    });
  }

  test('what it does depends on the seeds, and on nothing that was learnt from another program', () => {
    fc.assert(
      fc.property(programs, programs, fc.array(fc.integer(), { maxLength: 8 }), (program, other, seeds) => {
        const used = make();
        schedules(used, other, [1, 2, 3]);
        expect(schedules(used, program, seeds)).toEqual(schedules(make(), program, seeds));
      }),
      { numRuns: 40 },
    );
  });
});

test('a strategy that is watched does as it would alone', () => {
  fc.assert(
    fc.property(programs, fc.array(fc.integer(), { maxLength: 8 }), (program, seeds) => {
      const alone = new Runner(build(program), 300);
      const seen = new Runner(build(program), 300);
      const strategy = urw();
      const same = watched(urw(), new HappensBefore());
      for (const seed of seeds) {
        expect(seen.run(same, seed)).toBe(alone.run(strategy, seed));
        expect(seen.schedule.subarray(0, seen.steps)).toEqual(alone.schedule.subarray(0, alone.steps));
      }
    }),
    { numRuns: 40 },
  );
});

test('random walk: each enabled agent is picked equally often, whatever their number', () => {
  for (const count of [2, 3, 5]) {
    const times = Array.from({ length: count }, () => 0);
    const sets = Array.from({ length: 10_000 }, () => Array.from({ length: count }, (_, agent) => agent));
    for (const agent of picks(randomWalk(), 42, sets)) times[agent] = (times[agent] as number) + 1;
    const expected = 10_000 / count;
    for (const each of times) expect(Math.abs(each - expected)).toBeLessThan(5 * Math.sqrt(expected));
  }
});

test.each([
  ['S', 0.001264, 300_000],
  ['M', 0.007958, 60_000],
  ['L', 0.01413, 40_000],
] as const)('random walk: canonical workload %s shows its bug with the exact probability %d', (size, exact, runs) => {
  const runner = new Runner(asidShare({ ...SIZES[size], locked: false }));
  const strategy = randomWalk();
  let hits = 0;
  for (let seed = 0; seed < runs; seed++) if (runner.run(strategy, seed) === 'failed') hits++;
  // Five standard deviations of the binomial distribution: a right walk leaves them once in two million tries.
  expect(Math.abs(hits - runs * exact)).toBeLessThan(5 * Math.sqrt(runs * exact * (1 - exact)));
});

describe('PCT', () => {
  const everyone = (steps: number): number[][] => Array.from({ length: steps }, () => [0, 1, 2, 3, 4, 5]);

  test('depth 1: one order of priorities, kept to the end', () => {
    fc.assert(
      fc.property(fc.integer(), enabledSets, (seed, sets) => {
        const order: number[] = [];
        let left = [0, 1, 2, 3, 4, 5];
        while (left.length > 0) {
          const [first] = picks(pct(1), seed, [left]);
          order.push(first as number);
          left = left.filter((agent) => agent !== first);
        }
        const expected = sets.map((set) => order.find((agent) => set.includes(agent)));
        expect(picks(pct(1), seed, sets)).toEqual(expected);
      }),
    );
  });

  test('every order of priorities comes up equally often', () => {
    const times = new Map<string, number>();
    const strategy = pct(1);
    for (let seed = 0; seed < 6_000; seed++) {
      const three = picks(strategy, seed, [[0, 1, 2]])[0] as number;
      const two = picks(strategy, seed, [[0, 1, 2].filter((agent) => agent !== three)])[0] as number;
      times.set(`${three}${two}`, (times.get(`${three}${two}`) ?? 0) + 1);
    }
    expect(times.size).toBe(6);
    for (const count of times.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  test('depth d: at most d - 1 changes of agent while all can run, and each agent that loses its place stays last', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 6 }), (seed, depth) => {
        const list = picks(pct(depth), seed, everyone(60), 50);
        const moves = list.filter((agent, at) => at > 0 && agent !== list[at - 1]);
        expect(moves.length).toBeLessThanOrEqual(depth - 1);
        if (depth <= 6) expect(new Set([list[0], ...moves]).size).toBe(moves.length + 1);
      }),
    );
  });

  test('change points fall evenly over the expected length', () => {
    const times = Array.from({ length: 10 }, () => 0);
    for (let seed = 0; seed < 5_000; seed++) {
      const list = picks(pct(2), seed, everyone(11), 10);
      const at = list.findIndex((agent) => agent !== list[0]);
      expect(at).toBeGreaterThan(0);
      times[at - 1] = (times[at - 1] as number) + 1;
    }
    for (const count of times) expect(Math.abs(count - 500)).toBeLessThan(5 * Math.sqrt(500));
  });

  test('its guarantee holds on the canonical workload: 1 / (n · k^(d-1)) at least, d = 2 or 3', () => {
    const runner = new Runner(asidShare({ ...SIZES.S, locked: false }));
    const strategy = pct(3);
    let hits = 0;
    for (let seed = 0; seed < 20_000; seed++) if (runner.run(strategy, seed) === 'failed') hits++;
    expect(hits / 20_000).toBeGreaterThan(1 / (4 * 31 ** 2));
  });
});

describe('what PCT guarantees', () => {
  test('of one run, and of many', () => {
    expect(pctBound(4, 31, 1)).toBe(1 / 4);
    expect(pctBound(4, 31, 3)).toBeCloseTo(1 / (4 * 31 * 31), 15);
    expect(missedByAll(1 / 2, 3)).toBeCloseTo(1 / 8, 12);
    expect(missedByAll(1, 1)).toBe(0);
    expect(missedByAll(pctBound(3, 100, 3), 48)).toBeCloseTo((1 - 1 / 30_000) ** 48, 12);
  });
});

describe('replay', () => {
  test('follows a recorded run to the same end', () => {
    fc.assert(
      fc.property(programs, fc.integer(), (program, seed) => {
        const runner = new Runner(build(program));
        const end = runner.run(randomWalk(), seed);
        const failure = runner.system.machine.failure;
        const schedule = [...runner.schedule.subarray(0, runner.steps)];
        const again = new Runner(build(program));
        expect(again.run(replay(schedule), 0)).toBe(end);
        expect([...again.schedule.subarray(0, again.steps)]).toEqual(schedule);
        expect(again.system.machine.failure).toEqual(failure);
      }),
    );
  });

  test('stops where the recorded agent cannot run, and where the record ends', () => {
    expect(picks(replay([2, 0, 1]), 0, [[0, 2], [1, 2], [1]])).toEqual([2, -1]);
    expect(picks(replay([2, 1]), 0, [[0, 2], [1, 2], [1]])).toEqual([2, 1, -1]);
    expect(picks(replay([]), 0, [[0]])).toEqual([-1]);
  });
});
