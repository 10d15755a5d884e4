import { describe, expect, it } from 'vitest';
import { EVENT } from '../layout/event.ts';
import { OutcomeSets, OutcomeTable, outcomeKey, type Outcome } from './outcome.ts';

/** Outcomes that differ in one thing each. */
const MAKE: readonly ((table: OutcomeTable) => Outcome)[] = [
  (table) => table.abort(),
  (table) => table.unpredictable(),
  (table) => table.bypass(0x1000),
  (table) => table.bypass(0x2000),
  (table) => table.fault(EVENT.F_TRANSLATION),
  (table) => table.fault(EVENT.F_ACCESS),
  (table) => table.fault(EVENT.F_TRANSLATION, 0),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 8),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 0, 2),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 0, 0, { class: 2, ipa: 0, after: undefined }),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 0, 0, { class: 1, ipa: 0, after: undefined }),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 0, 0, { class: 2, ipa: 8, after: undefined }),
  (table) => table.fault(EVENT.F_TRANSLATION, 1, 0, 0, { class: 2, ipa: 0, after: { permissions: 1, faultMode: 1 } }),
  (table) => table.translation(0x1000, 1, 0, 1, 0),
  (table) => table.translation(0x2000, 1, 0, 1, 0),
  (table) => table.translation(0x1000, 3, 0, 1, 0),
  (table) => table.translation(0x1000, 1, 4, 1, 0),
  (table) => table.translation(0x1000, 1, 0, 0, 0),
  (table) => table.translation(0x1000, 1, 0, 1, 2),
  (table) => table.translation(0x1000, 1, 0, 1, 0, { first: 1, faultMode: 1, ipa: 0x1000 }),
  (table) => table.translated(0x1000, 1, table.bypass(0x1000), 1),
  (table) => table.translated(0x1000, 1, table.abort(), 1),
];

describe('outcomes', () => {
  it('are one object if they are equal, with numbers from 0 in the order of first use', () => {
    const table = new OutcomeTable();
    const all = MAKE.map((make) => make(table));
    expect(new Set(all).size).toBe(MAKE.length);
    expect(MAKE.map((make) => make(table))).toEqual(all);
    expect(all.map(({ id }) => table.at(id))).toEqual(all);
    expect(all.slice(0, 5).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
  });

  it('have keys that tell them apart', () => {
    const table = new OutcomeTable();
    expect(new Set(MAKE.map((make) => outcomeKey(make(table)))).size).toBe(MAKE.length);
  });
});

describe('sets of outcomes', () => {
  const sets = (order: readonly ((table: OutcomeTable) => Outcome)[]): { keys: string[][]; contents: string[] } => {
    const table = new OutcomeTable();
    for (const make of order) make(table);
    const made = new OutcomeSets(table);
    const numbers = [0, 1, 2, 3].map((from) => {
      const ids = MAKE.slice(from, from + 4).map((make) => make(table).id);
      ids.sort((a, b) => a - b);
      const set = made.intern(ids, 4);
      expect(made.intern(ids, 4)).toBe(set);
      return set;
    });
    expect(new Set(numbers).size).toBe(4);
    return {
      keys: numbers.map((set) => made.at(set).map(outcomeKey)),
      contents: numbers.map((set) => made.content(set)),
    };
  };

  it('are numbered, and list their outcomes in an order of their own', () => {
    const { keys, contents } = sets(MAKE);
    expect(keys[0]).toHaveLength(4);
    expect(new Set(contents).size).toBe(4);
    for (const order of [MAKE.toReversed(), [...MAKE.slice(2), ...MAKE.slice(0, 2)]])
      expect(sets(order)).toEqual({ keys, contents });
    expect(new OutcomeSets(new OutcomeTable()).at(0)).toEqual([]);
  });
});
