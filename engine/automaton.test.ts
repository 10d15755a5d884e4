import { describe, expect, test } from 'vitest';
import { Automaton, type Node } from './automaton.ts';
import { runToCompletion } from './complete.ts';
import { hashResult } from './hash.ts';
import { forget, step, waitStep, type Result, type Task } from './step.ts';
import { agent, effect } from './testing/world.ts';

/** Labels of the pending steps as an agent goes through the given results. */
function labels(automaton: Automaton, results: readonly Result[]): (string | undefined)[] {
  let node = automaton.start(0);
  const seen = [node.step?.label];
  for (const result of results) {
    node = automaton.next(node, result);
    seen.push(node.step?.label);
  }
  return seen;
}

const give = (label: string) => step<Result>(label, () => 0);

describe('local states', () => {
  let resumed = 0;
  function* branching(): Task {
    const first = yield* give('first');
    resumed++;
    const second = yield* give(`after ${String(first)}`);
    yield* give(`end ${String(first)} ${String(second)}`);
  }

  test('a node is made once for each history, and replayed for another branch', () => {
    const automaton = new Automaton([agent('a', [branching])]);
    const paths: Result[][] = [
      [1, 1],
      [1, 2],
      [2, 1],
      [1, 3],
      [2, 2],
      [undefined, true],
      [undefined, 'text'],
      [false, 1.5],
    ];
    for (const results of paths)
      expect(labels(automaton, results)).toEqual([
        'first',
        `after ${String(results[0])}`,
        `end ${results.map(String).join(' ')}`,
      ]);
    const made = automaton.nodes.length;
    const before = resumed;
    for (const results of paths) labels(automaton, results);
    expect(automaton.nodes.length).toBe(made);
    expect(made).toBe(1 + 4 + paths.length);
    expect(resumed).toBe(before);
  });

  test('nodes have distinct fingerprints, the same in another automaton', () => {
    const walk = (): Node[] => {
      const automaton = new Automaton([agent('a', [branching, branching]), agent('b', [branching])]);
      const ends: Node[] = [];
      for (const who of [0, 1])
        for (let first = -20; first < 20; first++)
          for (let second = 0; second < 20; second++) {
            const node = automaton.next(automaton.next(automaton.start(who), first), second);
            ends.push(node, automaton.next(node, 0));
          }
      return automaton.nodes.length > 1600 ? automaton.nodes : ends;
    };
    const nodes = walk();
    expect(new Set(nodes.map((node) => node.low)).size).toBe(nodes.length);
    expect(new Set(nodes.map((node) => node.high)).size).toBe(nodes.length);
    expect(walk().map(({ low, high }) => [low, high])).toEqual(nodes.map(({ low, high }) => [low, high]));
  });

  test('operations follow each other, whatever their results; empty ones are passed over', () => {
    function* empty(): Task {}
    function* forgetful(): Task {
      yield* forget('nothing to do');
    }
    const automaton = new Automaton([agent('a', [empty, branching, forgetful, empty, branching])]);
    expect(labels(automaton, [1, 1, 0, 2, 2, 0])).toEqual([
      'first',
      'after 1',
      'end 1 1',
      'first',
      'after 2',
      'end 2 2',
      undefined,
    ]);
    const start = automaton.start(0);
    expect(start.operation).toBe(1);
    const run = (list: readonly Result[]): Node =>
      list.reduce((node: Node, result) => automaton.next(node, result), start);
    expect(run([1, 1, 0]).id).toBe(run([5, 6, 7]).id);
    const end = run([1, 1, 0, 2, 2, 0]);
    expect(end.operation).toBe(5);
    expect(() => end.run()).toThrow('an agent that has ended was run');
  });

  test('depth counts the steps of the operation', () => {
    const automaton = new Automaton([agent('a', [branching, branching])]);
    let node = automaton.start(0);
    const depths = [node.depth];
    for (const result of [1, 1, 1, 1, 1]) depths.push((node = automaton.next(node, result)).depth);
    expect(depths).toEqual([0, 1, 2, 0, 1, 2]);
  });
});

describe('forget', () => {
  function* retry(): Task {
    for (;;) {
      yield* forget('again');
      const done = yield* give('try');
      if (done === true) break;
      yield* give('relax');
    }
    yield* give('out');
  }

  test('a loop comes back to the same node', () => {
    const automaton = new Automaton([agent('a', [retry])]);
    let node = automaton.start(0);
    for (let round = 0; round < 100; round++) {
      expect(node.id).toBe(automaton.start(0).id);
      node = automaton.next(automaton.next(node, round), undefined);
    }
    expect(labels(automaton, [1, 0, 2, 0, true, 0])).toEqual(['try', 'relax', 'try', 'relax', 'try', 'out', undefined]);
  });

  test('keys tell merged states apart, by operation and agent too', () => {
    const keyed = function* (): Task {
      const seen = (yield* give('look')) as number;
      yield* forget(seen % 2);
      yield* give(`parity ${seen % 2}`);
    };
    const automaton = new Automaton([agent('a', [keyed, keyed]), agent('b', [keyed])]);
    const after = (who: number, result: number): Node => automaton.next(automaton.start(who), result);
    expect(after(0, 1).id).toBe(after(0, 3).id);
    expect(after(0, 0).id).not.toBe(after(0, 1).id);
    expect(after(0, 1).id).not.toBe(after(1, 1).id);
    const second = automaton.next(automaton.next(after(0, 1), 0), 1);
    expect(second.step?.label).toBe('parity 1');
    expect(second.id).not.toBe(after(0, 1).id);
    expect(new Set(automaton.nodes.map((node) => `${node.low} ${node.high}`)).size).toBe(automaton.nodes.length);
  });

  test('a branch beyond a merged state is replayed from its first history', () => {
    const automaton = new Automaton([agent('a', [retry])]);
    for (const path of [[1, 0, 2, 0, true], [true], [7, 7, true]]) expect(labels(automaton, path).at(-1)).toBe('out');
  });
});

describe('results', () => {
  test('the hash is injective on integers, and tells kinds apart', () => {
    expect(hashResult(7)).toBe(7);
    const words = [1.5, 2.5, 2 ** 40, -(2 ** 40), true, false, undefined, 'a', 'b', ''].map(hashResult);
    expect(new Set(words).size).toBe(words.length);
  });
});

describe('runToCompletion', () => {
  test('runs a task without a scheduler, over forgets and steps without result', () => {
    const seen: unknown[] = [];
    runToCompletion(
      (function* (): Task {
        seen.push(yield* effect('nothing', () => 1));
        yield* forget(1);
        seen.push(yield* step('give', () => 5));
        yield* waitStep('free', { name: 'free', ready: () => true }, () => undefined);
        yield* forget(2);
      })(),
    );
    expect(seen).toEqual([undefined, 5]);
  });

  test('refuses to wait', () => {
    const wait = { name: 'the moon', ready: () => false };
    const task = function* (): Task {
      yield* waitStep('lock', wait, () => undefined);
    };
    expect(() => runToCompletion(task())).toThrow('"lock" waits for the moon while nobody else runs');
  });
});
