import { describe, expect, it } from 'vitest';
import { EVENT } from '../layout/event.ts';
import { OutcomeTable } from '../outcomes/outcome.ts';
import { LookupConfigs, type LookupConfig } from './lookup-config.ts';

const outcomes = new OutcomeTable();
const REFUSED: readonly number[] = [EVENT.C_BAD_STE, EVENT.C_BAD_CD, EVENT.F_STE_FETCH];

function refusals(configs: LookupConfigs, order = REFUSED): LookupConfig[] {
  return order.map((event) => configs.refusal(outcomes.fault(event)));
}

describe('configurations', () => {
  it('are one object if they are equal', () => {
    const configs = new LookupConfigs();
    const all = [...refusals(configs), configs.bypass(outcomes.abort()), configs.refusal(outcomes.abort())];
    expect(new Set(all).size).toBe(5);
    expect(refusals(configs)).toEqual(all.slice(0, 3));
    expect(configs.bypass(outcomes.abort())).toBe(all[3]);
    expect(all.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('sets of configurations', () => {
  it('do not depend on order or repetition', () => {
    const configs = new LookupConfigs();
    const [a, b, c] = refusals(configs) as [LookupConfig, LookupConfig, LookupConfig];
    const set = configs.set([a, b, c]);
    for (const order of [
      [a, c, b],
      [b, a, c],
      [b, c, a],
      [c, a, b],
      [c, b, a],
      [c, a, c, b, a],
    ])
      expect(configs.set(order)).toBe(set);
    expect(configs.at(set)).toEqual([a, b, c]);
    expect(configs.at(configs.set([b, b]))).toEqual([b]);
  });

  it('are numbered: 0 is the empty one', () => {
    const configs = new LookupConfigs();
    const [a, b, c] = refusals(configs) as [LookupConfig, LookupConfig, LookupConfig];
    const sets = [[], [a], [b], [c], [a, b], [a, c], [b, c], [a, b, c]].map((list) => configs.set(list));
    expect(sets[0]).toBe(0);
    expect(new Set(sets).size).toBe(8);
    expect(configs.at(0)).toEqual([]);
  });

  it('have a content that is the same in each world, whatever came up first', () => {
    const contents = (order: readonly number[]): string[] => {
      const configs = new LookupConfigs();
      refusals(configs, order);
      const [a, b, c] = refusals(configs) as [LookupConfig, LookupConfig, LookupConfig];
      return [[a], [a, b], [b, c], [a, b, c]].map((list) => configs.content(configs.set(list)));
    };
    const first = contents(REFUSED);
    expect(new Set(first).size).toBe(4);
    expect(contents(REFUSED.toReversed())).toEqual(first);
    expect(new LookupConfigs().content(0)).toBe('');
  });
});
