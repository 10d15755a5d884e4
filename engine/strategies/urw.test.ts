import { describe, expect, test } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Machine } from '../machine.ts';
import { Runner } from '../run.ts';
import { step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { randomWalk } from './random-walk.ts';
import type { Strategy } from './strategy.ts';
import { urw } from './urw.ts';

/** Agents that make so many steps each, and have nothing to do with one another. */
function lengths(...steps: readonly number[]): System {
  const agents = steps.map((count, agent): AgentSpec => {
    function* walk(): Task {
      for (let at = 0; at < count; at++) yield* step(`${agent}.${at}`, () => at);
    }
    return { name: `${agent}`, context: 'process', daemon: false, operations: [{ label: 'walk', start: walk }] };
  });
  return { machine: new Machine(), agents };
}

/** How often each interleaving came up. */
function interleavings(runner: Runner, strategy: Strategy, runs: number): Map<string, number> {
  const times = new Map<string, number>();
  for (let seed = 0; seed < runs; seed++) {
    runner.run(strategy, seed);
    const key = runner.schedule.subarray(0, runner.steps).join('');
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  return times;
}

/** Pearson's statistic against all `classes` being equally likely. */
function chiSquare(times: Map<string, number>, classes: number, runs: number): number {
  const expected = runs / classes;
  let sum = (classes - times.size) * expected;
  for (const count of times.values()) sum += (count - expected) ** 2 / expected;
  return sum;
}

/** A value that chi-square with so many degrees of freedom exceeds once in about ten million (Wilson and Hilferty, 1931). */
function critical(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 5.2 * Math.sqrt(spread)) ** 3;
}

describe('uniform random walk', () => {
  test.each([
    [[1, 5], 6],
    [[2, 3], 10],
    [[4, 4], 70],
    [[1, 2, 3], 60],
    [[1, 1, 6], 56],
  ])('agents of %j steps: all %d interleavings are equally likely', (steps, classes) => {
    const runner = new Runner(lengths(...steps));
    const strategy = urw();
    runner.run(strategy, 1);
    const runs = 200 * classes;
    expect(chiSquare(interleavings(runner, strategy, runs), classes, runs)).toBeLessThan(critical(classes - 1));
    // What would be a poor test if a random walk passed it.
    const walk = interleavings(new Runner(lengths(...steps)), randomWalk(), runs);
    expect(chiSquare(walk, classes, runs)).toBeGreaterThan(critical(classes - 1));
  });

  test('the first run of a program knows nothing', () => {
    const strategy = urw();
    let first = 0;
    for (let seed = 0; seed < 4_000; seed++) {
      const runner = new Runner(lengths(1, 9));
      runner.run(strategy, seed);
      if (runner.schedule[0] === 0) first++;
    }
    expect(Math.abs(first - 2_000)).toBeLessThan(5 * Math.sqrt(1_000));
  });
});
