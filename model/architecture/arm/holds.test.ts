import { describe, expect, it } from 'vitest';
import { Store } from '../../../engine/store.ts';
import { both, HoldTable } from './holds.ts';
import { PendingCommands } from './commands/pending.ts';
import type { Command } from './commands/invalidation.ts';

describe('HoldTable', () => {
  const table = new HoldTable(new Store(), 4);
  const shared = table.intern('thing');

  it('keeps the copy that lives longest', () => {
    expect(table.raise(shared, 5)).toBe(true);
    expect(table.raise(shared, 4)).toBe(false);
    expect(table.raise(shared, 5)).toBe(false);
    expect(table.raise(shared, 7)).toBe(true);
    expect(table.state(shared)).toBe(7);
    expect(table.raise(shared, 1)).toBe(true);
    expect(table.raise(shared, 9)).toBe(false);
    expect(table.state(shared)).toBe(1);
  });

  it('holds again what had gone, even if it is doomed already', () => {
    const holds = new HoldTable(new Store(), 1);
    const one = holds.intern('thing');
    expect([holds.raise(one, 5), holds.state(one)]).toEqual([true, 5]);
    holds.complete(one, 9);
    expect([holds.raise(one, 4), holds.state(one)]).toEqual([true, 4]);
  });

  it('leaves out what is doomed for a while, but not the starts of walks, whose cells count', () => {
    const holds = new HoldTable(new Store(), 3);
    const [early, late, start] = [holds.intern('early'), holds.intern('late'), holds.intern('start', true)];
    holds.set(early, 2);
    holds.set(late, 9);
    holds.set(start, 2);
    const states = (): number[] => [early, late, start].map((cell) => holds.state(cell));
    expect(holds.without(5, states)).toEqual([0, 9, 2]);
    expect(states()).toEqual([2, 9, 2]);
  });

  it('dooms what is fresh, by the first command', () => {
    expect(table.doom(shared, 3)).toBe(true);
    expect(table.doom(shared, 4)).toBe(false);
    expect(table.complete(shared, 3)).toBe(false);
    expect(table.complete(shared, 4)).toBe(true);
    expect(table.state(shared)).toBe(0);
    expect(table.doom(shared, 5)).toBe(false);
    expect(table.complete(shared, 9)).toBe(false);
  });

  it('makes what needs two things go with the first of them', () => {
    expect([both(1, 1), both(1, 5), both(5, 1), both(5, 7), both(7, 5)]).toEqual([1, 5, 5, 5, 5]);
  });

  it('can be looked at without what some commands take away', () => {
    const store = new Store();
    const holds = new HoldTable(store, 4);
    const [held, first, second] = ['held', 'first', 'second'].map((name) => holds.intern(name)) as [
      number,
      number,
      number,
    ];
    for (const one of [held, first, second]) holds.set(one, 1);
    holds.doom(first, 3);
    holds.doom(second, 4);
    const states = (): number[] => [held, first, second].map((one) => holds.state(one));
    expect(holds.without(4, states)).toEqual([1, 0, 6]);
    expect(states()).toEqual([1, 5, 6]);
  });
});

describe('PendingCommands', () => {
  const first: Command = { kind: 'sync' };
  const second: Command = { kind: 'none' };

  it('doom what is read through something doomed by the first command that covers both', () => {
    const pending = new PendingCommands(new Store(), 4);
    pending.push(first);
    pending.push(second);
    pending.push(first);
    expect(pending.inherit(1, () => true)).toBe(1);
    expect(pending.inherit(0, () => true)).toBe(0);
    expect(pending.inherit(2, (command) => command === second)).toBe(3);
    expect(pending.inherit(3, (command) => command === first)).toBe(4);
    expect(pending.inherit(2, () => false)).toBe(1);
  });

  it('are forgotten once they have completed', () => {
    const store = new Store();
    const pending = new PendingCommands(store, 4);
    const mark = store.mark();
    pending.push(first);
    pending.completeBefore(1);
    expect([pending.first, pending.next]).toEqual([1, 1]);
    store.rollback(mark);
    expect([pending.first, pending.next]).toEqual([0, 0]);
  });

  it('leave nothing behind in the ring, wherever it stands', () => {
    const store = new Store();
    store.reserve(3, 'something else');
    const pending = new PendingCommands(store, 2);
    const empty = store.cells.slice(0, 5);
    for (const sequence of [0, 1, 2]) {
      expect(pending.push(second)).toBe(sequence);
      expect(pending.at(sequence)).toBe(second);
      pending.completeBefore(sequence + 1);
      expect(store.cells.slice(0, 5)).toEqual(empty);
    }
  });
});
