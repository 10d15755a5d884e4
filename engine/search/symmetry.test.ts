import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fingerprint, HarnessError } from '../failure.ts';
import { Machine } from '../machine.ts';
import { observe } from '../observe.ts';
import { step, forget, type Task } from '../step.ts';
import { agentSymmetry, type Renaming } from '../symmetry.ts';
import { Mutex } from '../sync/lock.ts';
import { Rcu } from '../sync/rcu.ts';
import type { System } from '../system.ts';
import { enumerate } from '../testing/naive.ts';
import { agent, effect } from '../testing/world.ts';
import { checkSymmetry } from './check-symmetry.ts';
import { search } from './search.ts';

const KINDS = ['load', 'add', 'own', 'claim', 'owner', 'mine', 'lock', 'unlock', 'read', 'unread', 'forget'] as const;
type Kind = (typeof KINDS)[number];

/** What every agent of a world does. */
interface Common {
  readonly agents: number;
  readonly list: readonly Kind[];
}

const program: fc.Arbitrary<Common> = fc
  .record({ agents: fc.integer({ min: 2, max: 3 }), list: fc.array(fc.constantFrom(...KINDS), { maxLength: 4 }) })
  .filter(({ agents, list }) => agents * list.filter((kind) => kind !== 'forget').length <= 8);

/** A world of agents that all do the same, with cells that name agents, cells of each agent's own, and results that name agents. */
function build({ agents, list }: Common): System {
  const machine = new Machine();
  const { store } = machine;
  const shared = store.reserve(1, 'shared');
  const claimed = store.reserve(1, 'claimed by');
  const own = store.reserve(agents, 'own');
  const mutex = new Mutex(machine, 'mutex');
  const rcu = new Rcu(machine, 'rcu');
  function* task(): Task {
    for (const [index, kind] of list.entries()) {
      if (kind === 'load') yield* step('load', () => store.get(shared));
      else if (kind === 'add') yield* effect('add', () => store.set(shared, store.get(shared) + 1));
      else if (kind === 'own') yield* effect('own', () => store.set(own + machine.current, 1 + store.get(shared)));
      else if (kind === 'claim') yield* effect('claim', () => store.set(claimed, machine.current + 1));
      else if (kind === 'owner') yield* step('owner', () => `name:${store.get(claimed)}`);
      else if (kind === 'mine')
        yield* effect('mine', () => {
          if (store.get(claimed) !== machine.current + 1)
            machine.fail({ monitor: 'test', rule: 'not-mine', message: 'It is not.' });
        });
      else if (kind === 'lock') yield* mutex.lock();
      else if (kind === 'unlock') yield* mutex.unlock();
      else if (kind === 'read') yield* rcu.readLock();
      else if (kind === 'unread') yield* rcu.readUnlock();
      else yield* forget(index);
    }
  }
  const all = Array.from({ length: agents }, (_, index) => index);
  const symmetry = agentSymmetry(machine, agents, [all], (permutation) => ({
    cell: (cell) => (cell >= own && cell < own + agents ? own + (permutation[cell - own] as number) : cell),
    value: (cell, value) => (cell === claimed ? (permutation[value - 1] as number) + 1 : value),
    result: (result) => (typeof result === 'string' ? rename(result, permutation) : result),
  }));
  return { machine, agents: all.map((index) => agent(`agent${index}`, [task])), symmetry };
}

function rename(name: string, permutation: readonly number[]): string {
  const [, number] = name.split(':');
  return number === '0' ? name : `name:${(permutation[Number(number) - 1] as number) + 1}`;
}

/** The states of a naive enumeration, one of each orbit: from what the states say, by its own means. */
function orbits(states: ReadonlySet<string>, { agents }: Common, system: System): number {
  const orders = [
    Array.from({ length: agents }, (_, index) => index),
    ...(system.symmetry ?? []).map((each) => each.agents),
  ];
  const { store } = system.machine;
  const region = (cell: number): string => store.locate(cell).region.name;
  const owners = new Set(['claimed by', 'mutex']);
  const each = new Set(['preempt_count', 'own', 'rcu depth']);
  const canonical = new Set<string>();
  for (const text of states) {
    const [cells, operations, histories] = JSON.parse(text) as [number[], number[], string[][]];
    const forms = orders.map((order) => {
      const moved = [...cells];
      for (const [cell, value] of cells.entries()) {
        const { base } = store.locate(cell).region;
        if (each.has(region(cell))) moved[base + (order[cell - base] ?? cell - base)] = value;
        else if (owners.has(region(cell))) moved[cell] = value === 0 ? 0 : (order[value - 1] as number) + 1;
      }
      const local = histories.map((history, index) => [operations[index], history]);
      const movedLocal: unknown[] = [];
      for (const [index, [operation, history]] of local.entries())
        movedLocal[order[index] as number] = [
          operation,
          (history as string[]).map((word) =>
            word.startsWith('string ') ? `string ${rename(word.slice('string '.length), order)}` : word,
          ),
        ];
      return JSON.stringify([moved, movedLocal]);
    });
    canonical.add(forms.sort()[0] as string);
  }
  return canonical.size;
}

const ORDERS = ['bfs', 'dfs'] as const;

describe('one state of each orbit', () => {
  test('as many as enumeration and renaming give, and the same failures', () => {
    fc.assert(
      fc.property(program, (common) => {
        const naive = enumerate(() => build(common));
        const expected = orbits(naive.states, common, build(common));
        for (const order of ORDERS) {
          const seen = new Set<string>();
          const system = build(common);
          const result = search(system, {
            order,
            wanted: (failure) => {
              seen.add(failure.monitor === 'deadlock' ? 'stuck' : fingerprint(failure));
              return false;
            },
          });
          expect(result).toMatchObject({ verdict: 'exhausted', states: expected });
          expect([...seen].sort()).toEqual([...naive.failures].sort());
        }
      }),
      { numRuns: 150 },
    );
  });

  test('counterexamples are real schedules, and as short as without; with a bound on switches, too', () => {
    fc.assert(
      fc.property(program, fc.constantFrom(undefined, 0, 1, 2), (common, switchesMax) => {
        const { symmetry: _, ...plain } = build(common);
        const bound = switchesMax === undefined ? {} : { switchesMax };
        for (const order of ORDERS) {
          const reduced = search(build(common), { order, ...bound });
          const without = search(plain, { order, ...bound });
          expect(reduced.verdict).toBe(without.verdict);
          expect(reduced.states).toBeLessThanOrEqual(without.states);
          if (reduced.schedule === undefined) continue;
          if (order === 'bfs') expect(reduced.schedule.length).toBe(without.schedule?.length);
          expect(observe(build(common), reduced.schedule).failure).toEqual(reduced.failure);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a check finds nothing wrong with these, memoised or not', () => {
    fc.assert(
      fc.property(program, fc.boolean(), (common, memoise) => {
        const system = { ...build(common), memoise };
        checkSymmetry(system, { runs: 5 });
        expect(system.machine.failure).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });
});

describe('renamings that are wrong are noticed', () => {
  const common: Common = { agents: 2, list: ['claim', 'owner', 'own', 'mine'] };
  const swap = (change: Partial<Renaming>): System => {
    const system = build(common);
    return { ...system, symmetry: (system.symmetry ?? []).map((each) => ({ ...each, ...change })) };
  };

  test('cells or results that name agents are forgotten', () => {
    expect(() => checkSymmetry(swap({}))).not.toThrow();
    expect(() => checkSymmetry(swap({ value: (_, value) => value }))).toThrow(/another state than foretold/);
    expect(() => checkSymmetry(swap({ result: (result) => result }))).toThrow(/another state than foretold/);
    expect(() => checkSymmetry(swap({ cell: (cell) => cell }))).toThrow(HarnessError);
  });

  test('agents that do not do the same', () => {
    const { machine, agents } = build(common);
    const different = [
      agents[0],
      agent('other', [
        function* () {
          yield* effect('other', () => undefined);
        },
        function* () {
          yield* effect('more', () => undefined);
        },
      ]),
    ] as const;
    const system: System = {
      machine,
      agents: different as unknown as System['agents'],
      symmetry: agentSymmetry(machine, 2, [[0, 1]]),
    };
    expect(() => checkSymmetry(system)).toThrow(HarnessError);
  });

  test('a first state that is not its own renaming, a list that is no permutation, a world without symmetry', () => {
    expect(() => search(swap({ agents: [0, 0] }), { order: 'bfs' })).toThrow(/permutation/);
    const owned = build(common);
    const { base } = owned.machine.store.locate(16).region;
    owned.machine.store.set(base + 1, 2);
    expect(() => search(owned, { order: 'bfs' })).toThrow(/not its own renaming: see claimed by/);
    const { symmetry: _, ...plain } = build(common);
    expect(() => checkSymmetry(plain)).toThrow(/no symmetry/);
  });

  test('sleep sets cannot be asked for', () => {
    expect(() => search(build(common), { order: 'dfs', reduction: 'sleep' })).toThrow(RangeError);
  });
});
