import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../../../bench/workloads/asid-share.ts';
import { fingerprint } from '../../failure.ts';
import type { System } from '../../system.ts';
import { buildLoops, loopPrograms } from '../../testing/looping.ts';
import { build, programs } from '../../testing/programs.ts';
import { Cell } from '../../cell.ts';
import { Machine } from '../../machine.ts';
import { forget, waitStep, type Step, type Task } from '../../step.ts';
import { agent, effect, world } from '../../testing/world.ts';
import { DepthFirst } from '../dfs.ts';
import { Frame } from '../frame.ts';
import { search, type SearchOptions } from '../search.ts';
import { EVERYTHING, type Unit } from '../unit.ts';
import { SharedTable } from './table.ts';

/** Larger state spaces are not compared. */
const STATES_MAX = 2000;
/** Searches that stand still in the midst of their work while another one works. */
const NESTED_MAX = 4;

/** Things that worlds number as they come up have no names here, by which several worlds could agree on them. */
const namedOnly = loopPrograms.filter((program) =>
  program.every(({ list }) => list.every(({ kind }) => kind !== 'intern')),
);

/** What several searches of one set of states have seen together. */
interface Seen {
  readonly states: number;
  readonly ends: number;
  readonly transitions: number;
  readonly failures: readonly string[];
}

/** What to do after each new state: nothing, give steps away for later, or have them explored at once by another searcher. */
type Choice = 'go on' | 'later' | 'now';
const choices = fc.array(fc.constantFrom<Choice>('go on', 'go on', 'later', 'now'), { minLength: 1, maxLength: 50 });

/**
 * Searches that share a set of states, in an order that can be had again: while one stands still after some step, another one
 * explores what was given to it. Each has a world of its own, as threads have.
 */
function together(make: () => System, plan: readonly Choice[], reduction: 'sleep' | 'none'): Seen {
  const table = new SharedTable(SharedTable.memoryFor(1 << 14));
  const failures = new Set<string>();
  const later: Unit[] = [EVERYTHING];
  let [ends, transitions, next, nested] = [0, 0, 0, 0];
  const explore = (unit: Unit): void => {
    nested++;
    const options: SearchOptions = {
      order: 'dfs',
      reduction,
      wanted: (failure) => {
        failures.add(fingerprint(failure));
        return false;
      },
      stop: () => {
        const choice = plan[next++ % plan.length];
        if (choice === 'go on' || (choice === 'now' && nested === NESTED_MAX)) return false;
        const part = one.split(1000);
        if (part === undefined) return false;
        if (choice === 'now') explore(part);
        else later.push(part);
        return false;
      },
    };
    const system = make();
    system.machine.agents = system.agents;
    const frame = new Frame(system, options, table);
    const one = new DepthFirst(frame, options, 0);
    expect(one.explore(unit).verdict).toBe('exhausted');
    ends += frame.ends;
    transitions += frame.transitions;
    nested--;
  };
  for (let unit = later.shift(); unit !== undefined; unit = later.shift()) explore(unit);
  return { states: table.size, ends, transitions, failures: [...failures].sort() };
}

/** Together they see what one search sees that leaves nothing out. */
function compare(make: () => System, plan: readonly Choice[]): void {
  const seen = new Set<string>();
  const wanted = (failure: Parameters<typeof fingerprint>[0]): boolean => {
    seen.add(fingerprint(failure));
    return false;
  };
  const full = search(make(), { order: 'dfs', reduction: 'none', statesMax: STATES_MAX, wanted });
  if (full.verdict === 'bound') return;
  const { states, ends, transitions } = full;
  const failures = [...seen].sort();
  expect(together(make, plan, 'none')).toEqual({ states, ends, transitions, failures });
  const asleep = together(make, plan, 'sleep');
  expect(asleep).toMatchObject({ states, ends, failures });
  expect(asleep.transitions).toBeLessThanOrEqual(transitions);
}

/** What an agent of `crossing` does: turn one of three cells, read it, or wait until it is 1. */
type Move = readonly [kind: 'flip' | 'read' | 'wait', cell: number];
type Crossing = readonly { readonly moves: readonly Move[]; readonly forever: boolean }[];
const move: fc.Arbitrary<Move> = fc.tuple(fc.constantFrom('flip', 'flip', 'read', 'wait'), fc.nat(2));
const crossings: fc.Arbitrary<Crossing> = fc.array(
  fc.record({ moves: fc.array(move, { minLength: 1, maxLength: 2 }), forever: fc.boolean() }),
  { minLength: 3, maxLength: 5, size: 'max' },
);

/** Agents that go over the same few cells, once or over and over: most of their steps commute with those of some. */
function crossing(program: Crossing): System {
  const machine = new Machine();
  const cells = [0, 1, 2].map((index) => new Cell(machine, `cell${index}`));
  const single = ([kind, index]: Move): Step => {
    const cell = cells[index] as Cell;
    if (kind === 'read') return effect('read', () => cell.value);
    if (kind === 'flip') return effect('flip', () => (cell.value = 1 - cell.value));
    return waitStep('wait', { name: 'cell', ready: () => cell.value !== 0 }, () => undefined);
  };
  const task = ({ moves, forever }: Crossing[number]) =>
    function* (): Task {
      for (let again = true; again; again = forever) {
        yield* forget('again');
        for (const each of moves) yield* single(each);
      }
    };
  return world(
    machine,
    program.map((each, index) => agent(`agent${index}`, [task(each)])),
  );
}

describe('searches that share a set of states', () => {
  test('miss nothing: programs of every primitive', () => {
    fc.assert(
      fc.property(programs, choices, (program, plan) => compare(() => build(program), plan)),
      { numRuns: 300 },
    );
  });

  test('miss nothing: programs with loops, whose states can be reached from themselves', () => {
    fc.assert(
      fc.property(namedOnly, choices, fc.boolean(), fc.boolean(), (program, plan, checked, memoise) =>
        compare(() => buildLoops(program, { checked, memoise }), plan),
      ),
      { numRuns: 300 },
    );
  });

  test('miss nothing: agents that cross each other', () => {
    fc.assert(
      fc.property(crossings, choices, (program, plan) => compare(() => crossing(program), plan)),
      { numRuns: 300 },
    );
    // Found among them: a state is missed by searches that take for explored what another one has only begun with.
    const program: Crossing = [
      {
        moves: [
          ['wait', 0],
          ['flip', 0],
        ],
        forever: false,
      },
      {
        moves: [
          ['flip', 2],
          ['read', 0],
        ],
        forever: true,
      },
      {
        moves: [
          ['flip', 0],
          ['flip', 1],
        ],
        forever: false,
      },
      {
        moves: [
          ['flip', 1],
          ['flip', 2],
        ],
        forever: true,
      },
      {
        moves: [
          ['flip', 0],
          ['flip', 2],
        ],
        forever: false,
      },
    ];
    const on: Choice = 'go on';
    compare(() => crossing(program), [on, 'now', on, on, 'now', on, on, on, 'later', on]);
    expect(search(crossing(program), { order: 'dfs' }).states).toBe(400);
  });

  test('leave out as many steps, however the work is divided', () => {
    const make = (): System => asidShare({ ...SIZES.S, locked: true });
    const alone = together(make, ['go on'], 'sleep');
    const divided = together(make, ['go on', 'now', 'later', 'go on', 'go on', 'now'], 'sleep');
    expect(alone.transitions).toBe(14_706);
    expect(divided).toMatchObject({ states: 12_478, ends: alone.ends });
    expect(divided.transitions).toBeLessThan(alone.transitions * 1.05);
  });
});
