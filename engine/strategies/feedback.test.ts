import { describe, expect, test } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Automaton, type Node } from '../automaton.ts';
import { Cell } from '../cell.ts';
import type { Footprint } from '../footprint.ts';
import { Machine } from '../machine.ts';
import { Runner } from '../run.ts';
import { step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { feedback } from './feedback.ts';
import { pct } from './pct.ts';
import { ReadsFrom } from './reads-from.ts';
import type { Strategy } from './strategy.ts';

/** Two agents that must take turns: each does some steps of its own before its turn, and gives up if it is not its turn. */
function turns(rounds: number, idle: number): System {
  const machine = new Machine();
  const turn = new Cell(machine, 'turn');
  const own = [new Cell(machine, 'own0'), new Cell(machine, 'own1')] as const;
  function* take(me: 0 | 1): Task {
    for (let at: number = me; at < 2 * rounds; at += 2) {
      const from = at * idle;
      for (let count = 0; count < idle; count++) yield* own[me].store(from + count);
      const mine = yield* step('take turn', () => {
        if (turn.value !== at) return false;
        turn.value = at + 1;
        if (at + 1 === 2 * rounds) machine.fail({ monitor: 'test', rule: 'all', message: 'All turns were taken.' });
        return true;
      });
      if (!mine) return;
    }
  }
  const agent = (me: 0 | 1): AgentSpec => ({
    name: `${me}`,
    context: 'process',
    daemon: false,
    operations: [{ label: 'take turns', start: () => take(me) }],
  });
  return { machine, agents: [agent(0), agent(1)] };
}

/** Executions up to the first failure, as a mean over fresh starts; at most `most` each. */
function executionsToBug(make: () => Strategy, starts: number, most: number): number {
  let sum = 0;
  for (let start = 0; start < starts; start++) {
    const runner = new Runner(turns(3, 4));
    const strategy = make();
    let executions = 1;
    while (executions < most && runner.run(strategy, start * most + executions) !== 'failed') executions++;
    sum += executions;
  }
  return sum / starts;
}

test('feedback reaches in stages what takes many changes of agent: PCT of the right depth needs three times as long', () => {
  const staged = executionsToBug(() => feedback(3), 20, 4_000);
  expect(executionsToBug(() => pct(6), 20, 4_000)).toBeGreaterThan(3 * staged);
  // Two changes are too few for six turns: without beginnings to return to, it is never found.
  expect(executionsToBug(() => pct(3), 2, 4_000)).toBe(4_000);
});

describe('pairs of who read what who wrote', () => {
  function* task(): Task {
    for (;;) yield* step('step', () => 0);
  }
  const agents = ['a', 'b', 'c'].map((name) => ({
    name,
    context: 'process' as const,
    daemon: false,
    operations: [{ label: name, start: task }],
  }));
  const automaton = new Automaton(agents);
  const [a, b, c] = agents.map((_, agent) => automaton.start(agent)) as [Node, Node, Node];
  const footprint = (written: readonly number[], read: readonly number[]): Footprint => ({
    id: 0,
    cells: Int32Array.from([...written, ...read]),
    written: written.length,
  });
  /** Number of steps that show something new. */
  const fresh = (readsFrom: ReadsFrom, steps: readonly (readonly [Node, Footprint])[]): number => {
    readsFrom.begin();
    return steps.filter(([node, touched]) => readsFrom.step(node, touched)).length;
  };

  test('are new once', () => {
    const pairs = new ReadsFrom();
    const writeThenRead = [
      [a, footprint([5], [])],
      [b, footprint([], [5])],
    ] as const;
    // The first write overwrites what was there at first: that is a pair, too.
    expect(fresh(pairs, writeThenRead)).toBe(2);
    expect(fresh(pairs, writeThenRead)).toBe(0);
    expect(fresh(pairs, writeThenRead.toReversed())).toBe(1);
    expect(fresh(pairs, writeThenRead.toReversed())).toBe(0);
  });

  test('are of the last writer', () => {
    const pairs = new ReadsFrom();
    const write = footprint([5], []);
    const read = footprint([], [5]);
    expect(
      fresh(pairs, [
        [a, write],
        [b, write],
        [c, read],
      ]),
    ).toBe(3);
    expect(
      fresh(pairs, [
        [b, write],
        [a, write],
        [c, read],
      ]),
    ).toBe(3);
    expect(
      fresh(pairs, [
        [a, write],
        [c, read],
        [b, write],
      ]),
    ).toBe(0);
  });
});
