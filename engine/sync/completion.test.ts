import { describe, expect, test } from 'vitest';
import { Machine } from '../machine.ts';
import { search } from '../search/search.ts';
import type { Step } from '../step.ts';
import { agent, failures, shortestFailure, steps, world } from '../testing/world.ts';
import { Completion } from './completion.ts';

function make(): { machine: Machine; done: Completion } {
  const machine = new Machine();
  return { machine, done: new Completion(machine, 'done') };
}

describe('Completion', () => {
  test('complete lets one waiter go, completeAll every one', () => {
    const { machine, done } = make();
    const waiters = [agent('a', [steps(() => done.wait())]), agent('b', [steps(() => done.wait())])];
    const beside = (...list: readonly (() => Step)[]) =>
      failures(world(machine, [...waiters, agent('c', [steps(...list)])]));
    expect(
      beside(
        () => done.complete(),
        () => done.complete(),
      ),
    ).toEqual([]);
    expect(beside(() => done.completeAll())).toEqual([]);
    expect(
      beside(
        () => done.completeAll(),
        () => done.complete(),
      ),
    ).toEqual([]);
    expect(beside(() => done.complete())).toEqual(['deadlock/lost-wake-up/completion done']);
  });

  test('a lost wake-up names who waits, for what, and who could have ended it', () => {
    const { machine, done } = make();
    const waker = steps(
      () => done.complete(),
      () => done.reinit(),
    );
    const system = world(machine, [agent('a', [steps(() => done.wait())]), agent('b', [waker])]);
    expect(shortestFailure(system)).toBe(
      'Lost wake-up: a waits for completion done (ended by complete()), and nobody is left who would do it.',
    );
  });

  test('waiting sleeps', () => {
    const { machine, done } = make();
    const agents = [
      agent('a', [steps(() => done.wait())], { context: 'softirq' }),
      agent('b', [steps(() => done.complete())]),
    ];
    expect(shortestFailure(world(machine, agents))).toBe(
      'a may sleep (wait_for_completion(completion done)) in softirq context.',
    );
  });

  test('a wait cannot pass before it is completed', () => {
    const { machine, done } = make();
    const result = search(
      world(machine, [agent('a', [steps(() => done.wait())]), agent('b', [steps(() => done.complete())])]),
      {
        order: 'dfs',
      },
    );
    expect(result).toMatchObject({ verdict: 'exhausted', states: 3, transitions: 2 });
  });
});
