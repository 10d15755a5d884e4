import { describe, expect, test } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { Machine } from '../machine.ts';
import { Runner } from '../run.ts';
import { step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { pos } from './pos.ts';
import { randomWalk } from './random-walk.ts';
import type { Strategy } from './strategy.ts';

/** One agent writes a cell after `before` steps of its own; the other reads it at once, and fails if it finds the write. */
function lateWrite(before: number): System {
  const machine = new Machine();
  const cell = new Cell(machine, 'cell');
  const own = new Cell(machine, 'own');
  function* write(): Task {
    for (let at = 1; at <= before; at++) yield* own.store(at);
    yield* cell.store(1);
  }
  function* read(): Task {
    yield* step('read', () => {
      if (cell.value === 1) machine.fail({ monitor: 'test', rule: 'seen', message: 'The write was seen.' });
      return 0;
    });
  }
  const agent = (name: string, start: () => Task): AgentSpec => ({
    name,
    context: 'process',
    daemon: false,
    operations: [{ label: name, start }],
  });
  return { machine, agents: [agent('writer', write), agent('reader', read)] };
}

function failures(runner: Runner, strategy: Strategy, runs: number): number {
  let failed = 0;
  for (let seed = 0; seed < runs; seed++) if (runner.run(strategy, seed) === 'failed') failed++;
  return failed;
}

describe('partial order sampling', () => {
  test('the steps of an agent that concern nobody else do not decide who wins a race', () => {
    // The read keeps its priority until it runs, so it comes last of 10 steps with probability 1/10, and under a random
    // walk, which tosses a coin at each step, with 1/512.
    const runner = new Runner(lateWrite(8));
    const strategy = pos();
    failures(runner, strategy, 100);
    const runs = 5_000;
    expect(Math.abs(failures(runner, strategy, runs) - runs / 10)).toBeLessThan(5 * Math.sqrt(runs * 0.1 * 0.9));
    expect(failures(runner, randomWalk(), runs)).toBeLessThan(40);
  });

  test('a race is drawn anew when one of those that race has run', () => {
    // Two writers of one cell: each write draws a new priority for the other's next one, as in a random walk.
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    function* write(): Task {
      for (let at = 0; at < 4; at++) yield* cell.store(at);
    }
    const agents = ['one', 'other'].map((name): AgentSpec => ({
      name,
      context: 'process',
      daemon: false,
      operations: [{ label: name, start: write }],
    }));
    const runner = new Runner({ machine, agents });
    const strategy = pos();
    let alternations = 0;
    for (let seed = 0; seed < 8_000; seed++) {
      runner.run(strategy, seed);
      if (runner.schedule[0] !== runner.schedule[1]) alternations++;
    }
    expect(Math.abs(alternations - 4_000)).toBeLessThan(5 * Math.sqrt(2_000));
  });

  test('other strategies do as they did before, after footprints were wanted', () => {
    const schedule = (runner: Runner): number[] => {
      runner.run(randomWalk(), 7);
      return [...runner.schedule.subarray(0, runner.steps)];
    };
    const fresh = (): Runner => new Runner({ ...lateWrite(8), check: () => undefined });
    const traced = fresh();
    failures(traced, pos(), 20);
    expect(schedule(traced)).toEqual(schedule(fresh()));
  });
});
