import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AgentSpec } from '../agent.ts';
import { Cell } from '../cell.ts';
import { fingerprint } from '../failure.ts';
import { Machine } from '../machine.ts';
import { forget, waitStep, type Step, type Task } from '../step.ts';
import type { System } from '../system.ts';
import { buildLoops, loopPrograms } from '../testing/looping.ts';
import { build, programs } from '../testing/programs.ts';
import { agent, effect, steps, world } from '../testing/world.ts';
import { search, type SearchOptions, type SearchResult } from './search.ts';

/** Larger state spaces are not compared. */
const STATES_MAX = 3000;

/** A search that names the failures it sees. */
function survey(system: System, options: SearchOptions): SearchResult & { readonly seen: readonly string[] } {
  const seen = new Set<string>();
  const wanted = (failure: Parameters<typeof fingerprint>[0]): boolean => {
    seen.add(fingerprint(failure));
    return false;
  };
  return { ...search(system, { ...options, wanted }), seen: [...seen].sort() };
}

/** Both searches reach the same states and ends, and see the same failures; sleep sets make no more steps. */
function compare(make: () => System, options: { readonly countFailures?: boolean } = {}): void {
  const full = survey(make(), { order: 'dfs', reduction: 'none', statesMax: STATES_MAX, ...options });
  if (full.verdict === 'bound') return;
  const asleep = survey(make(), { order: 'dfs', reduction: 'sleep', ...options });
  const { states, ends, seen, verdict } = full;
  expect(asleep).toMatchObject({ states, ends, seen, verdict });
  expect(asleep.transitions).toBeLessThanOrEqual(full.transitions);
  const tree = options.countFailures === true ? states - 1 : 0;
  expect(asleep.transitions).toBeGreaterThanOrEqual(tree);
}

describe('sleep sets leave out steps, not states', () => {
  const failing = fc.boolean();

  test('programs of every primitive', () => {
    fc.assert(
      fc.property(programs, failing, (program, countFailures) => compare(() => build(program), { countFailures })),
      { numRuns: 300 },
    );
  });

  test('programs with loops, whose states can be reached from themselves', () => {
    fc.assert(
      fc.property(loopPrograms, failing, (program, countFailures) =>
        compare(() => buildLoops(program), { countFailures }),
      ),
      { numRuns: 300 },
    );
  });

  test('the check after a step is part of what it touches; with and without memo', () => {
    fc.assert(
      fc.property(loopPrograms, failing, fc.boolean(), (program, countFailures, memoise) =>
        compare(() => buildLoops(program, { checked: true, memoise }), { countFailures }),
      ),
      { numRuns: 300 },
    );
  });

  test('a step back to a state of the path puts nobody to sleep', () => {
    // Found among random programs: two states are missed by a search that takes such a step for explored.
    const make = (): System => {
      const machine = new Machine();
      const x = new Cell(machine, 'x');
      const y = new Cell(machine, 'y');
      const flip = (cell: Cell) => (): Step => effect(`flip ${cell.name}`, () => (cell.value = 1 - cell.value));
      const read = (cell: Cell) => (): Step => effect(`read ${cell.name}`, () => cell.value);
      const ready = (): boolean => x.value === 1;
      const wait = (): Step => waitStep('wait', { name: 'x', ready }, () => undefined);
      const forever = (name: string, round: () => Task): AgentSpec =>
        agent(name, [
          function* (): Task {
            for (;;) {
              yield* forget('again');
              yield* round();
            }
          },
        ]);
      return world(machine, [
        forever('a', steps(wait, flip(y))),
        forever('b', steps(flip(y))),
        forever('c', steps(read(y), flip(x))),
        forever('d', steps(read(x), read(y))),
      ]);
    };
    compare(make);
    expect(search(make(), { order: 'dfs' }).states).toBe(32);
  });
});
