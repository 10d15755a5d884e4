import { describe, expect, test } from 'vitest';
import { mixHigh, mixLow } from '../hash.ts';
import { Machine } from '../machine.ts';
import type { Task } from '../step.ts';
import { Store } from '../store.ts';
import { agentSymmetry, type Renaming } from '../symmetry.ts';
import { agent, effect } from '../testing/world.ts';
import { DepthFirst } from './dfs.ts';
import { Frame } from './frame.ts';
import { CellImages } from './images.ts';
import { Visited } from './visited.ts';

/** Two cells that change places, and values that grow. */
const renamings: readonly Renaming[] = [
  { agents: [], cell: (cell) => 1 - cell, value: (cell, value) => value + 5 + cell },
  { agents: [] },
];

describe('what a cell with its value adds to the renamed states', () => {
  test('is the same however many are kept', () => {
    const store = new Store();
    store.reserve(2, 'cells');
    for (const rowsMax of [1, 100, 100_000]) {
      const images = new CellImages(store, renamings, rowsMax);
      for (let round = 0; round < 2; round++)
        for (let at = 0; at < 2000; at++) {
          const cell = at & 1;
          const value = at - 1000 === 0 ? 1 : at - 1000;
          const row = images.row(cell, value);
          expect([...images.rows.subarray(row, row + 4)]).toEqual([
            mixLow(1 - cell, value + 5 + cell),
            mixLow(cell, value),
            mixHigh(1 - cell, value + 5 + cell),
            mixHigh(cell, value),
          ]);
        }
    }
  });

  test('is made from what cells stand for, also when that is said later', () => {
    const store = new Store();
    const images = new CellImages(store, renamings);
    store.reserve(2, 'cells');
    const laid = new CellImages(store, renamings);
    laid.row(0, 7);
    store.name(1, 'a thing');
    const row = laid.row(0, 7);
    expect(laid.rows[row]).toBe(store.identities?.low(1, 12));
    expect(laid.rows[row]).not.toBe(mixLow(1, 12));
    expect(images.differsAt(0)).toBe(-1);
  });
});

test('the fingerprints of orbits are spread evenly, as a table needs them', () => {
  const machine = new Machine();
  const { store } = machine;
  const own = store.reserve(4, 'own');
  function* task(): Task {
    for (let at = 0; at < 5; at++)
      yield* effect('count', () => store.set(own + machine.current, 1 + store.get(own + machine.current)));
  }
  const place = (cell: number, to: readonly number[]): number =>
    cell < own || cell >= own + 4 ? cell : own + (to[cell - own] as number);
  const symmetry = agentSymmetry(machine, 4, [[0, 1, 2, 3]], (to) => ({ cell: (cell) => place(cell, to) }));
  const agents = [0, 1, 2, 3].map((index) => agent(`agent${index}`, [task]));
  machine.agents = agents;
  const negative = new Set<number>();
  class Watched extends Visited {
    override visit(low: number, high: number): boolean {
      if (low < 0) negative.add(low);
      return super.visit(low, high);
    }
  }
  const frame = new Frame({ machine, agents, symmetry }, { order: 'dfs' }, new Watched());
  const { states } = new DepthFirst(frame, { order: 'dfs' }).explore();
  // Multisets of 4 of the 6 counts: 9 over 4. Least ones of 24 would nearly all be negative.
  expect(states).toBe(126);
  expect(negative.size).toBeGreaterThan(40);
  expect(negative.size).toBeLessThan(86);
});
