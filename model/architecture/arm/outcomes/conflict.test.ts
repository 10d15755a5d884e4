import { describe, expect, it } from 'vitest';
import { TagTable } from '../translation/tag.ts';
import type { Leaf } from '../translation/walk-node.ts';
import { mayConflict } from './conflict.ts';

type Facts = Pick<Leaf, 'span' | 'pa' | 'page' | 'attributes' | 'nT' | 'global'>;

const page: Facts = { span: 1, pa: 0x40_1000, page: 1, attributes: 0, nT: false, global: undefined };
const block: Facts = { ...page, span: 512, pa: 0x40_0000, page: 0 };
const tags = new TagTable(1);
const global: Facts = { ...page, global: tags.global(0, 0) };

function conflict(first: Facts, second: Facts, nTHonoured = false): boolean {
  const both = (one: Facts, other: Facts): boolean => mayConflict([one as Leaf, other as Leaf], 2, nTHonoured);
  expect(both(first, second)).toBe(both(second, first));
  return both(first, second);
}

describe('two entries', () => {
  it.each([
    ['equal ones', page, page, false],
    ['pages of one contiguous run', page, { ...page, pa: 0x40_2000, page: 2 }, false],
    ['another output address', page, { ...page, pa: 0x50_1000 }, true],
    ['another page with the same output address', page, { ...page, page: 2 }, true],
    ['other attributes', page, { ...page, attributes: 4 }, true],
    ['another size', page, block, true],
    ['another size, nT', page, { ...block, nT: true }, true],
    ['one of them global', page, global, true],
    ['both of them global', global, { ...global, global: tags.global(0, 1) }, false],
  ] as const)('%s', (_which, first, second, expected) => expect(conflict(first, second)).toBe(expected));

  it('of other sizes are not in conflict if either has an nT that is honoured', () => {
    expect(conflict(page, block, true)).toBe(true);
    expect(conflict(page, { ...block, nT: true }, true)).toBe(false);
    expect(conflict({ ...page, pa: 0x50_1000 }, { ...page, nT: true }, true)).toBe(true);
  });
});

describe('several entries', () => {
  it('are in conflict if any two are, of those that count', () => {
    const other = { ...page, attributes: 4 };
    for (const all of [
      [page, page, other],
      [other, page, page],
      [page, other, page],
    ])
      expect(mayConflict(all as Leaf[], 3, false)).toBe(true);
    expect(mayConflict([page, page, other] as Leaf[], 2, false)).toBe(false);
    expect(mayConflict([page, other] as Leaf[], 1, false)).toBe(false);
    expect(mayConflict([page, page, page] as Leaf[], 3, false)).toBe(false);
  });
});
