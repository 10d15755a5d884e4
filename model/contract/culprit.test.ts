import { beforeEach, describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import { culprit, framesOf, held } from './culprit.ts';
import { READ } from './events.ts';
import { G, H, RW } from './testing.ts';
import { MAP_END, MAPPING_CAUSES, mappingValue, TranslationState, UNMAP_END } from './translation-state.ts';

/** The guest's space 1 is nested on space 0; space 2 is by itself. */
const [PARENT, GUEST, ALONE] = [0, 1, 2];
const [PAGE, IPA, OTHER_IPA] = [0, 1, 2];
const PAGES = [0x1000, 0x8000, 0x9000];
const MAP_FAIL = MAPPING_CAUSES.indexOf('map.fail');

let state: TranslationState;
beforeEach(() => {
  const nested = [{ space: GUEST, parent: PARENT }];
  state = new TranslationState(new Store(), { streams: [], spaces: 3, pages: PAGES, nested });
});

const value = (pa: number, permissions = RW): number => mappingValue(pa, permissions);
const map = (space: number, page: number, pa: number, cause = MAP_END): void => {
  const register = state.mapping(space, page);
  state.mappings.begin(register, value(pa));
  state.mappings.end(register, cause);
};
const unmap = (space: number, page: number, cause = UNMAP_END): void => {
  const register = state.mapping(space, page);
  state.mappings.begin(register, 0);
  state.mappings.endClear(register, cause);
};
const ended = (space: number, pa: number) => culprit(state, space, PAGE, value(pa));

describe('of a space by itself', () => {
  test('what ended a mapping is told, the first cause too', () => {
    map(ALONE, PAGE, G);
    expect([ended(ALONE, G), framesOf(state, ALONE, PAGE)]).toEqual([undefined, [G]]);
    unmap(ALONE, PAGE);
    expect([ended(ALONE, G), framesOf(state, ALONE, PAGE)]).toEqual([{ space: ALONE, cause: UNMAP_END }, []]);
    map(ALONE, PAGE, H);
    unmap(ALONE, PAGE, MAP_FAIL);
    expect(ended(ALONE, H)).toEqual({ space: ALONE, cause: MAP_FAIL });
  });

  test('what it leads to now is all that it may lead to', () => {
    map(ALONE, PAGE, G);
    map(ALONE, PAGE, H);
    expect([framesOf(state, ALONE, PAGE), ended(ALONE, G)]).toEqual([[H], { space: ALONE, cause: MAP_END }]);
    state.mappings.begin(state.mapping(ALONE, PAGE), value(G));
    expect(new Set(framesOf(state, ALONE, PAGE))).toEqual(new Set([G, H]));
    expect(framesOf(state, ALONE, IPA)).toEqual([]);
  });

  test('what it holds or held is told from what it never did', () => {
    map(ALONE, PAGE, G);
    expect([held(state, ALONE, PAGE, value(G)), held(state, ALONE, PAGE, value(H))]).toEqual([true, false]);
    unmap(ALONE, PAGE);
    expect([held(state, ALONE, PAGE, value(G)), held(state, ALONE, PAGE, value(H))]).toEqual([true, false]);
  });
});

describe('of a nested space', () => {
  beforeEach(() => {
    map(GUEST, PAGE, PAGES[IPA] as number);
    map(PARENT, IPA, G);
  });

  test('it is the stage that ended, the parent’s first', () => {
    expect([ended(GUEST, G), framesOf(state, GUEST, PAGE)]).toEqual([undefined, [G]]);
    unmap(GUEST, PAGE);
    expect([ended(GUEST, G), framesOf(state, GUEST, PAGE)]).toEqual([{ space: GUEST, cause: UNMAP_END }, []]);
    unmap(PARENT, IPA, MAP_FAIL);
    expect([ended(GUEST, G), framesOf(state, GUEST, PAGE)]).toEqual([{ space: PARENT, cause: MAP_FAIL }, []]);
  });

  test('a stage 2 that is left alone is no culprit', () => {
    unmap(PARENT, IPA);
    expect([ended(GUEST, G), framesOf(state, GUEST, PAGE)]).toEqual([{ space: PARENT, cause: UNMAP_END }, []]);
    expect(ended(GUEST, H)).toBeUndefined();
    expect(culprit(state, GUEST, PAGE, value(G, READ))).toBeUndefined();
    expect([held(state, GUEST, PAGE, value(G)), held(state, GUEST, PAGE, value(H))]).toEqual([true, false]);
  });

  test('each stage 1 leads on by its own page of the parent', () => {
    map(PARENT, OTHER_IPA, H);
    expect(framesOf(state, GUEST, PAGE)).toEqual([G]);
    map(GUEST, PAGE, PAGES[OTHER_IPA] as number, MAP_FAIL);
    expect([framesOf(state, GUEST, PAGE), ended(GUEST, G)]).toEqual([[H], { space: GUEST, cause: MAP_FAIL }]);
    expect(ended(GUEST, H)).toBeUndefined();
    // The first page of the world is one like the others, and what is no page of the world leads nowhere.
    map(PARENT, PAGE, G);
    map(GUEST, IPA, PAGES[PAGE] as number);
    map(GUEST, OTHER_IPA, 0xf000);
    expect([framesOf(state, GUEST, IPA), framesOf(state, GUEST, OTHER_IPA)]).toEqual([[G], []]);
  });
});

test('all that a page may lead to at once is known', () => {
  const frames = [G, H, 0x7000, 0xa000];
  for (const pa of frames) state.mappings.begin(state.mapping(ALONE, PAGE), value(pa));
  expect(new Set(framesOf(state, ALONE, PAGE))).toEqual(new Set(frames));
});

test('an address that is no page of the world leads nowhere, whatever spaces there are besides', () => {
  const nested = [{ space: 2, parent: 1 }];
  state = new TranslationState(new Store(), { streams: [], spaces: 3, pages: PAGES, nested });
  map(0, OTHER_IPA, G);
  map(2, PAGE, 0xf000);
  expect(framesOf(state, 2, PAGE)).toEqual([]);
});
