import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Footprints } from './footprint.ts';
import { Machine } from './machine.ts';
import { Cell } from './cell.ts';
import { Mutex } from './sync/lock.ts';
import { buildContended, contended, type Contended } from './testing/contended.ts';
import { build, programs, type Program } from './testing/programs.ts';
import { schedules, type Schedule } from './testing/schedules.ts';
import { agent, effect, steps, world } from './testing/world.ts';

/** Classes of schedules under swapping neighbouring independent steps: for each schedule, the number of its class. */
function classes(all: readonly Schedule[], footprints: Footprints): number[] {
  const indices = new Map(all.map((schedule, index) => [schedule.agents.join(), index]));
  const parent = all.map((_, index) => index);
  const find = (index: number): number => {
    let at = index;
    while (parent[at] !== at) at = parent[at] as number;
    return at;
  };
  all.forEach(({ agents, footprints: touched }, index) => {
    for (let at = 0; at + 1 < agents.length; at++) {
      const [one, other] = [agents[at] as number, agents[at + 1] as number];
      const [before, after] = [touched[at], touched[at + 1]];
      if (one === other || before === undefined || after === undefined || footprints.dependent(before, after)) continue;
      const swapped = indices.get(
        agents
          .with(at, other)
          .with(at + 1, one)
          .join(),
      );
      if (swapped === undefined) throw new Error('independent steps do not commute');
      parent[find(index)] = find(swapped);
    }
  });
  return all.map((_, index) => find(index));
}

/** Every schedule; undefined if there are more than a thousand. */
function enumerate(program: Program | Contended, memoise: boolean): ReturnType<typeof schedules> | undefined {
  try {
    const system = 'agents' in program ? buildContended(program) : build(program);
    return schedules(system, { past: true, memoise, most: 1_000 });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** True if two labellings of the same things have the same classes. */
function samePartition(ones: readonly unknown[], others: readonly unknown[]): boolean {
  const pairs = new Set(ones.map((one, index) => `${String(one)}/${String(others[index])}`)).size;
  return new Set(ones).size === pairs && new Set(others).size === pairs;
}

describe('the fingerprint of happens-before', () => {
  test.each([true, false])('is that of schedules equal up to swaps of independent steps; memoised: %s', (memoise) => {
    let nontrivial = 0;
    fc.assert(
      fc.property(fc.oneof(programs, contended), (program) => {
        const found = enumerate(program, memoise);
        fc.pre(found !== undefined);
        const { all, traced } = found;
        const labels = classes(all, traced.footprints);
        expect(
          samePartition(
            all.map(({ trace }) => trace),
            labels,
          ),
        ).toBe(true);
        const states = new Map<string, string>();
        for (const { trace, state } of all)
          expect(states.get(trace) ?? state).toBe(states.set(trace, state).get(trace));
        if (new Set(labels).size > 1 && new Set(labels).size < all.length) nontrivial++;
      }),
      { numRuns: 300 },
    );
    expect(nontrivial).toBeGreaterThan(50);
  });

  test('memoised steps have the footprints of steps that are run', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const [plain, memoised] = [false, true].map((memoise) => schedules(build(program), { past: true, memoise }));
        expect(memoised?.all).toEqual(plain?.all);
      }),
      { numRuns: 100 },
    );
  });

  test('a lock is taken after the unlock before it, and after nothing else', () => {
    const machine = new Machine();
    const lock = new Mutex(machine, 'lock');
    const cell = new Cell(machine, 'cell');
    const section = steps(
      () => lock.lock(),
      () => lock.unlock(),
    );
    const { all } = schedules(
      world(machine, [agent('a', [section]), agent('b', [section]), agent('c', [steps(() => cell.store(1))])]),
    );
    expect(new Set(all.map(({ trace }) => trace)).size).toBe(2);
  });

  test('writing what is there is reading; writing and taking back is reading', () => {
    const machine = new Machine();
    const cell = new Cell(machine, 'cell');
    const silent = (): ReturnType<typeof effect> => effect('silent', () => (cell.value = 0));
    const back = (): ReturnType<typeof effect> => effect('back', () => [1, 0].forEach((value) => (cell.value = value)));
    const read = (): ReturnType<typeof cell.load> => cell.load();
    for (const three of [silent, back, read].map((make) => agent('c', [steps(make)]))) {
      const agents = [agent('a', [steps(silent)]), agent('b', [steps(back)]), three];
      expect(new Set(schedules(world(machine, agents)).all.map(({ trace }) => trace)).size).toBe(1);
    }
  });
});

describe('Footprints', () => {
  const footprint = fc
    .tuple(fc.uniqueArray(fc.nat(200), { maxLength: 6 }), fc.nat(6))
    .map(([cells, written]) => ({ cells, written: Math.min(written, cells.length) }));

  test('each is kept once, and dependence is that one writes what the other touches', () => {
    fc.assert(
      fc.property(fc.array(footprint, { minLength: 1, maxLength: 20 }), (list) => {
        const table = new Footprints();
        const of = ({ cells, written }: (typeof list)[number]) =>
          table.of(Int32Array.from(cells), cells.length, written);
        const made = list.map(of);
        expect(list.map(of)).toEqual(made);
        expect(table.size).toBe(new Set(list.map((each) => JSON.stringify(each))).size);
        for (const [at, one] of list.entries())
          for (const [index, other] of list.entries()) {
            const meets = (writer: typeof one, toucher: typeof one): boolean =>
              writer.cells.slice(0, writer.written).some((cell) => toucher.cells.includes(cell));
            const expected = meets(one, other) || meets(other, one);
            for (let again = 0; again < 2; again++)
              expect(table.dependent(made[at] as never, made[index] as never)).toBe(expected);
          }
      }),
    );
  });
});
