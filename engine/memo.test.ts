import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asidShare, SIZES } from '../bench/workloads/asid-share.ts';
import { Automaton } from './automaton.ts';
import { Cell } from './cell.ts';
import { Machine } from './machine.ts';
import { StepMemo } from './memo.ts';
import { Runner } from './run.ts';
import { search } from './search/search.ts';
import { pct } from './strategies/pct.ts';
import { randomWalk } from './strategies/random-walk.ts';
import type { System } from './system.ts';
import { build, programs, type Program } from './testing/programs.ts';
import { agent, effect, steps, world } from './testing/world.ts';

/** A generated program with a monitor that reads, writes and now and then fails. */
function monitored(program: Program, memoise: boolean): System {
  const system = build(program);
  const { machine } = system;
  const { store } = machine;
  const seen = store.reserve(3, 'monitor');
  const check = (): void => {
    const sum = store.get(16) + 3 * store.get(17);
    store.set(seen + (sum & 1), sum);
    if (sum > 2) store.set(seen + 2, store.get(18) + machine.current);
    if (sum === 7)
      machine.fail({ monitor: 'm', rule: 'seven', message: `${machine.agentName(machine.current)} made it seven.` });
    machine.tally(sum);
  };
  return { ...system, check, memoise };
}

describe('a memoised system behaves as the same system without', () => {
  test('searched, in either order', () => {
    fc.assert(
      fc.property(programs, fc.constantFrom('bfs', 'dfs'), (program, order) => {
        const [plain, memoised] = [monitored(program, false), monitored(program, true)];
        for (const options of [
          { order, reduction: 'none' },
          { order, reduction: 'none', countFailures: true },
          { order, switchesMax: 1 },
        ] as const)
          expect(search(memoised, options)).toEqual(search(plain, options));
        expect([...memoised.machine.tallies]).toEqual([...plain.machine.tallies]);
      }),
      { numRuns: 200 },
    );
  });

  test('run at random', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const [plain, memoised] = [new Runner(monitored(program, false)), new Runner(monitored(program, true))];
        for (let seed = 0; seed < 30; seed++) {
          const strategy = seed % 2 === 0 ? randomWalk() : pct();
          expect(memoised.run(strategy, seed)).toBe(plain.run(strategy, seed));
          expect([...memoised.schedule.subarray(0, memoised.steps)]).toEqual([
            ...plain.schedule.subarray(0, plain.steps),
          ]);
          expect([...memoised.system.machine.store.cells]).toEqual([...plain.system.machine.store.cells]);
          expect(memoised.system.machine.failure).toEqual(plain.system.machine.failure);
        }
        expect([...memoised.system.machine.tallies]).toEqual([...plain.system.machine.tallies]);
      }),
      { numRuns: 100 },
    );
  });

  test('the canonical workload', () => {
    for (const locked of [true, false]) {
      const size = { ...SIZES.S, locked };
      const plain = search(asidShare(size), { order: 'dfs', reduction: 'none', countFailures: true });
      expect(
        search({ ...asidShare(size), memoise: true }, { order: 'dfs', reduction: 'none', countFailures: true }),
      ).toEqual(plain);
    }
  });
});

/** One step that sums two cells into a third; the memo of it; and a way to make it again on other values. */
function summing(options: { effectsMax?: number } = {}) {
  const machine = new Machine();
  const [a, b, sum] = [new Cell(machine, 'a'), new Cell(machine, 'b'), new Cell(machine, 'sum')];
  const add = effect('add', () => {
    sum.value = a.value === 0 ? -1 : a.value + b.value;
    machine.tally(5);
    if (a.value === 3) machine.fail({ monitor: 'm', rule: 'three', message: 'Three.' });
  });
  const system = world(machine, [agent('adder', [steps(() => add)])]);
  const automaton = new Automaton(system.agents);
  const memo = new StepMemo(system, automaton, options.effectsMax);
  const make = (first: number, second: number): { sum: number; rule: string | undefined; end: boolean } => {
    const mark = machine.store.mark();
    a.value = first;
    b.value = second;
    machine.failure = undefined;
    machine.current = 0;
    const next = memo.step(automaton.start(0));
    const made = {
      sum: sum.value,
      rule: machine.failure === undefined ? undefined : 'three',
      end: next.step === undefined,
    };
    machine.store.rollback(mark);
    return made;
  };
  return { machine, memo, make };
}

describe('StepMemo', () => {
  test('computes a step once for each set of values that it reads', () => {
    const { machine, memo, make } = summing();
    for (let round = 0; round < 3; round++)
      for (let first = 0; first < 4; first++)
        for (let second = 0; second < 4; second++) {
          const rule = first === 3 ? 'three' : undefined;
          expect(make(first, second)).toEqual({ sum: first === 0 ? -1 : first + second, rule, end: true });
        }
    // With a = 0 the step never reads b.
    expect([memo.computed, memo.replayed]).toEqual([13, 35]);
    expect(machine.tallies[5]).toBe(48);
    expect(machine.store.mark()).toBe(0);
  });

  test('forgets everything when it holds too much', () => {
    const { memo, make } = summing({ effectsMax: 4 });
    for (let round = 0; round < 3; round++)
      for (let second = 0; second < 5; second++) expect(make(1, second).sum).toBe(1 + second);
    expect(memo.computed).toBe(15 - memo.replayed);
    expect(memo.computed).toBeGreaterThan(5);
  });

  test('the undo log grows for an effect of many writes', () => {
    const machine = new Machine();
    const base = machine.store.reserve(6000, 'large');
    const fill = effect('fill', () => {
      for (let at = 0; at < 6000; at++) machine.store.set(base + at, at + 1);
    });
    const system = world(machine, [agent('a', [steps(() => fill)])]);
    const automaton = new Automaton(system.agents);
    const memo = new StepMemo(system, automaton);
    machine.current = 0;
    for (let round = 0; round < 2; round++) {
      memo.step(automaton.start(0));
      expect(machine.store.get(base + 5999)).toBe(6000);
      if (round === 0) machine.store.rollback(0);
    }
    expect(memo.replayed).toBe(1);
    machine.store.set(base, 7);
    machine.store.rollback(0);
    expect(machine.store.cells.every((value) => value === 0)).toBe(true);
  });

  /** A step that sums a list kept outside the store; the list grows between its runs. */
  function growing(announced: boolean) {
    const machine = new Machine();
    const first = new Cell(machine, 'c0');
    const cells = [first];
    const [more, total] = [new Cell(machine, 'c1'), new Cell(machine, 'total')];
    const sum = effect('sum', () => (total.value = cells.reduce((so, cell) => so + cell.value, 1)));
    const system = world(machine, [agent('a', [steps(() => sum)])]);
    const automaton = new Automaton(system.agents);
    const memo = new StepMemo(system, automaton);
    const run = (value: number): number => {
      machine.store.rollback(0);
      first.value = value;
      more.value = 10;
      machine.current = 0;
      memo.step(automaton.start(0));
      return total.value;
    };
    const grow = (): void => {
      cells.unshift(more);
      if (announced) machine.store.epoch++;
    };
    return { run, grow };
  }

  test('a list outside the store that grew, and said so: steps are computed anew', () => {
    const { run, grow } = growing(true);
    expect([run(0), run(2), run(0)]).toEqual([1, 3, 1]);
    grow();
    expect([run(0), run(2)]).toEqual([11, 13]);
  });

  test('a step that reads other cells though it found the same values has state outside the store', () => {
    const { run, grow } = growing(false);
    run(0);
    grow();
    expect(() => run(2)).toThrow('the step "sum" does not read the same cells when it finds the same values');
  });
});
