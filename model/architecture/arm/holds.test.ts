import { describe, expect, it } from 'vitest';
import { Store } from '../../../engine/store.ts';
import { OutstandingBroadcasts } from './broadcast/outstanding-broadcasts.ts';
import { both, broadcastMark, commandMark, doomedBy, HoldTable, isDoomed, longerLived } from './holds.ts';
import { PendingCommands } from './commands/pending.ts';
import type { Command, TlbInvalidation } from './commands/invalidation.ts';

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

describe('what commands and broadcasts doom', () => {
  const table = new HoldTable(new Store(), 1);
  const only = table.intern('thing');

  /** All states of something held, with a few commands and broadcasts. */
  const states = [-1, 3, 4].flatMap((sequence) => [0, 1, 2, 3, 1 << 11].map((set) => doomedBy(sequence, set)));

  it('goes with the first of them to complete', () => {
    for (const first of ['command', 'broadcast', 'other']) {
      const holds = new HoldTable(new Store(), 1);
      const thing = holds.intern('thing');
      holds.set(thing, 1);
      for (const mark of [broadcastMark(11), commandMark(3), broadcastMark(0), commandMark(4)])
        holds.doomBy(thing, mark);
      expect(holds.state(thing)).toBe(doomedBy(3, 1 + (1 << 11)));
      expect([holds.complete(thing, 3), holds.completeBroadcasts(thing, 2)]).toEqual([false, false]);
      const gone =
        first === 'command'
          ? holds.complete(thing, 4)
          : holds.completeBroadcasts(thing, first === 'other' ? 1 : 1 << 11);
      expect([gone, holds.state(thing)]).toEqual([true, 0]);
    }
  });

  it('is brought back by a fresh reading, and by one that lives longer', () => {
    for (const state of states) {
      const holds = new HoldTable(new Store(), 1);
      const thing = holds.intern('thing');
      holds.set(thing, state);
      expect(holds.raise(thing, 1)).toBe(isDoomed(state));
      expect(holds.state(thing)).toBe(1);
    }
  });

  it('may be spared by broadcasts, and is then what it would have been without them', () => {
    const holds = new HoldTable(new Store(), 3);
    const [thing, start, gone] = [holds.intern('thing'), holds.intern('start', true), holds.intern('gone')];
    holds.set(thing, doomedBy(3, 7));
    holds.set(start, 1 << 20);
    holds.spare(5);
    expect([thing, start, gone].map((cell) => holds.state(cell))).toEqual([doomedBy(3, 2), 1 << 20, 0]);
    holds.spare(2);
    expect(holds.state(thing)).toBe(commandMark(3));
  });

  it('is only doomed if it is held, and by the first of the commands', () => {
    const holds = new HoldTable(new Store(), 1);
    const thing = holds.intern('thing');
    expect([holds.doomBy(thing, broadcastMark(2)), holds.doomBy(thing, commandMark(2))]).toEqual([false, false]);
    holds.set(thing, 1);
    expect([holds.doomBy(thing, commandMark(2)), holds.doomBy(thing, commandMark(3))]).toEqual([true, false]);
  });

  /** Whether a state is gone after a command has completed (-1: none) and a set of broadcasts. */
  function isGone(state: number, command: number, broadcasts: number): boolean {
    table.set(only, state);
    return table.complete(only, command + 1) || table.completeBroadcasts(only, broadcasts);
  }

  const histories = [-1, 2, 3, 4].flatMap((command) => [0, 1, 2, 3, 1 << 11].map((set) => [command, set] as const));

  it('of two copies never outlives both, whichever is kept', () => {
    for (const one of states)
      for (const other of states) {
        const kept = longerLived(one, other);
        for (const [command, set] of histories)
          if (isGone(one, command, set) && isGone(other, command, set)) expect(isGone(kept, command, set)).toBe(true);
      }
  });

  it('of two copies is the one that is sure to outlive the other, if there is one', () => {
    for (const one of states)
      for (const other of states) {
        const outlives = histories.every(([command, set]) => !isGone(one, command, set) || isGone(other, command, set));
        if (outlives) for (const kept of [longerLived(one, other), longerLived(other, one)]) expect(kept).toBe(one);
      }
  });

  it('of several copies is the same in whatever order they came', () => {
    for (const one of [0, ...states])
      for (const other of states) {
        expect(longerLived(one, other)).toBe(longerLived(other, one));
        for (const third of states)
          expect(longerLived(longerLived(one, other), third)).toBe(longerLived(one, longerLived(other, third)));
      }
  });

  it('of what needs two things goes with either', () => {
    for (const one of states)
      for (const other of states)
        for (const [command, set] of histories)
          expect(isGone(both(one, other), command, set)).toBe(isGone(one, command, set) || isGone(other, command, set));
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

  it('and broadcasts doom what is read through something by those alone that cover both', () => {
    const store = new Store();
    const broadcasts = new OutstandingBroadcasts(store);
    const pending = new PendingCommands(store, 4, broadcasts);
    const all = { kind: 'tlb', vmid: 0, asid: -1, byAddress: false, page: 0, pages: 0 } as const;
    const of = (asid: number): TlbInvalidation => ({ ...all, asid, leaf: false, granule: 0, level: 0 });
    broadcasts.add(of(5), 0);
    broadcasts.add(of(6), 11);
    pending.push(first);
    const ofAsid = (asid: number) => (command: Command) => command.kind === 'tlb' && command.asid === asid;
    const doomed = doomedBy(0, 1 + (1 << 11));
    expect(pending.inherit(doomed, () => true)).toBe(doomed);
    expect(pending.inherit(doomed, ofAsid(5))).toBe(doomedBy(-1, 1));
    expect(pending.inherit(doomed, ofAsid(6))).toBe(doomedBy(-1, 1 << 11));
    expect(pending.inherit(doomed, () => false)).toBe(1);
    const thing = (state: number): { state: number; covers: () => boolean } => ({ state, covers: () => true });
    expect(pending.inheritTwo(thing(doomedBy(-1, 1)), thing(doomedBy(0, 0)), () => true)).toBe(doomedBy(0, 1));
    expect(pending.inheritTwo(thing(doomedBy(-1, 1)), thing(1), ofAsid(6))).toBe(1);
    expect(pending.inheritTwo(thing(1), thing(doomedBy(-1, 1 << 11)), ofAsid(6))).toBe(doomedBy(-1, 1 << 11));
    broadcasts.complete(1);
    expect(broadcasts.among(-1)).toBe(1 << 11);
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
