import { describe, expect, it } from 'vitest';
import { HarnessError } from '../../engine/failure.ts';
import { Machine } from '../../engine/machine.ts';
import { PageOwnership } from './ownership.ts';

const PAGE = 0x1000;
const BLOCK = 0x20_0000;

function ownership(): PageOwnership {
  return new PageOwnership(new Machine(), 2, [PAGE, 2 * PAGE, BLOCK], PAGE, BLOCK);
}

describe('PageOwnership', () => {
  it('gives a page to one caller at a time', () => {
    const pages = ownership();
    expect(pages.claimUnmap(0, PAGE, PAGE)).toBe('none');
    expect(pages.claimMap(0, PAGE, PAGE)).toBe(true);
    expect(pages.claimMap(0, PAGE, PAGE)).toBe(false);
    expect(pages.claimMap(1, PAGE, PAGE)).toBe(true);
    expect(pages.claimUnmap(0, PAGE, PAGE)).toBe('none');
    pages.settle(0, PAGE, PAGE, true);
    expect(pages.claimUnmap(0, PAGE, 2 * PAGE)).toBe('none');
    expect(pages.claimUnmap(0, PAGE, PAGE)).toBe('pages');
  });

  it('keeps the pages of a block that is claimed from others', () => {
    const pages = ownership();
    expect(pages.claimMap(0, 0, BLOCK)).toBe(true);
    expect(pages.claimMap(0, PAGE, PAGE)).toBe(false);
    expect(pages.claimMap(0, BLOCK, PAGE)).toBe(true);
    pages.settle(0, 0, BLOCK, true);
    expect(pages.claimUnmap(0, PAGE, PAGE)).toBe('none');
    expect(pages.claimBlock(0, 0)).toBe(true);
    pages.settleSplit(0, 0);
    expect(pages.claimUnmap(0, PAGE, PAGE)).toBe('pages');
    expect(pages.claimUnmap(0, 0, BLOCK)).toBe('none');
    pages.settle(0, PAGE, PAGE, false);
    expect(pages.claimUnmap(0, 0, BLOCK)).toBe('table');
  });

  it('tells the last page under a table', () => {
    const pages = ownership();
    for (const page of [PAGE, 2 * PAGE]) {
      pages.claimMap(0, page, PAGE);
      pages.settle(0, page, PAGE, true);
    }
    expect(pages.claimLastPage(0, PAGE)).toBe('pages');
    pages.settle(0, PAGE, PAGE, false);
    expect(pages.claimLastPage(0, 2 * PAGE)).toBe('table');
    expect(pages.claimMap(0, PAGE, PAGE)).toBe(false);
    pages.settle(0, 2 * PAGE, PAGE, false);
    expect(pages.claimMap(0, PAGE, PAGE)).toBe(true);
  });

  it('knows only the pages of its world', () => {
    expect(() => ownership().claimMap(0, 7 * PAGE, PAGE)).toThrow(HarnessError);
    expect(() => ownership().claimMap(0, PAGE + 1, PAGE)).toThrow(HarnessError);
    expect(() => ownership().claimMap(0, 4 * BLOCK, BLOCK)).toThrow(HarnessError);
  });
});
