import { describe, expect, it } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import type { ConfigTarget } from '../commands/invalidation.ts';
import { HoldTable } from '../holds.ts';
import { ConfigGraph, type ConfigPlace } from './config-graph.ts';

const ste: ConfigTarget = { kind: 'STE', streamId: 1, streams: 1, substream: 0, substreams: 1 };
const TARGETS: readonly ConfigTarget[] = [
  ste,
  { ...ste, streamId: 2 },
  { ...ste, kind: 'L1STD' },
  { ...ste, kind: 'L1STD', streams: 64 },
  { ...ste, kind: 'CD' },
  { ...ste, kind: 'CD', substream: 1 },
  { ...ste, kind: 'L1CD' },
  { ...ste, kind: 'L1CD', substreams: 64 },
];

function graph(): { made: ConfigGraph; store: Store; watched: number[] } {
  const store = new Store();
  const watched: number[] = [];
  return { made: new ConfigGraph(store, new HoldTable(store, 64), (pa) => watched.push(pa)), store, watched };
}

describe('places of configuration structures', () => {
  it('are told apart by all that they serve, and by their address', () => {
    const { made } = graph();
    const places = [0x1000, 0x2000].flatMap((address) => TARGETS.map((target) => made.place(target, address)));
    expect(new Set(places).size).toBe(2 * TARGETS.length);
    for (const [at, target] of TARGETS.entries()) expect(made.place(target, 0x1000)).toBe(places[at]);
    expect(made.places).toEqual(places);
  });

  it('belong to their streams, but for level 1 stream table descriptors, which streams share', () => {
    const { made } = graph();
    const [first, second, l1std, l1ofMore, cd, otherCd, l1cd, l1cdOfMore] = TARGETS.map((target) =>
      made.place(target, 0x1000),
    );
    expect(made.l1Tables).toEqual([l1std, l1ofMore]);
    expect(made.stream(1)).toEqual({
      entries: [first],
      l1Descriptors: [l1cd, l1cdOfMore],
      descriptors: [cd, otherCd],
    });
    expect(made.stream(2).entries).toEqual([second]);
  });

  it('have their words watched once', () => {
    const { made, watched } = graph();
    const again = [1, 2].map(() => made.place({ ...ste, kind: 'CD' }, 0x1000));
    expect(again[1]).toBe(again[0]);
    expect(watched).toEqual([0x1000, 0x1008, 0x1010]);
  });

  it('have cells that mean the same in each world, in whatever order they were found', () => {
    const prints = (order: readonly ConfigTarget[]): Map<ConfigTarget, string> => {
      const { made, store } = graph();
      const print = (cell: number): string => `${store.identities?.low(cell, 1)} ${store.identities?.high(cell, 1)}`;
      const of = ({ reachable, words }: ConfigPlace): string =>
        [reachable, ...words.map((word) => made.version(word, 1, 0).cell)].map(print).join();
      return new Map(order.map((target) => [target, of(made.place(target, 0x1000))]));
    };
    const some = prints(TARGETS);
    const others = prints(TARGETS.toReversed());
    expect(new Set(some.values()).size).toBe(TARGETS.length);
    for (const target of TARGETS) expect(others.get(target)).toBe(some.get(target));
  });
});

describe('versions of a word', () => {
  it('are one object for the bits that matter', () => {
    const { made } = graph();
    const [word] = made.place({ ...ste, kind: 'L1CD' }, 0x1000).words;
    if (word === undefined) throw new Error('no word');
    const valid = made.version(word, 0x1001, 0);
    expect(made.version(word, 0x1003, 0)).toBe(valid);
    expect(made.version(word, 0x1000, 0)).not.toBe(valid);
    expect(made.version(word, 0x1001, 1)).not.toBe(valid);
    expect(word.versions).toHaveLength(3);
  });
});
