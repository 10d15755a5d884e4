import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Store } from '../../engine/store.ts';
import { READ, type ContractEvent } from './events.ts';
import { TagMonitor } from './tags.ts';
import { RW, WORLD } from './testing.ts';
import type { Observed } from './translation-state.ts';
import { TranslationMonitor } from './translation.ts';
import { PAGE_SIZE } from './world.ts';

/** Laws of the fold: it can be undone, and what concerns different pages, spaces and streams commutes. */

/** One operation of a caller: the events that it sends, in order. */
type Operation = readonly ContractEvent[];

const space = fc.nat({ max: WORLD.spaces - 1 });
const iova = fc.constantFrom(...WORLD.pages);
const pa = fc.integer({ min: 1, max: 4 }).map((frame) => frame * PAGE_SIZE);

const map: fc.Arbitrary<Operation> = fc
  .record({ space, iova, pa, permissions: fc.constantFrom(READ, RW), fails: fc.boolean() })
  .map(({ fails, ...mapping }) => {
    const range = { ...mapping, size: PAGE_SIZE };
    return [{ type: 'map.begin', ...range }, fails ? { type: 'map.fail', ...range } : { type: 'map.end', ...range }];
  });
const unmap: fc.Arbitrary<Operation> = fc.record({ space, iova, lazy: fc.boolean() }).map(({ lazy, ...at }) => [
  { type: 'unmap.begin', ...at, size: PAGE_SIZE },
  { type: 'unmap.end', ...at, size: PAGE_SIZE, lazy },
]);
const flush: fc.Arbitrary<Operation> = space.map((flushed) => [
  { type: 'flush.begin', space: flushed },
  { type: 'flush.end', space: flushed },
]);
const attach: fc.Arbitrary<Operation> = fc
  .record({
    stream: fc.constantFrom(...WORLD.streams),
    to: fc.constantFrom(0, 1, 'blocked' as const, 'bypass' as const),
    hitless: fc.boolean(),
    fails: fc.boolean(),
  })
  .map(({ stream, to, hitless, fails }) => [
    { type: 'attach.begin', ...stream, to, hitless },
    fails ? { type: 'attach.fail', ...stream, to } : { type: 'attach.end', ...stream },
  ]);
const operations = fc.array(fc.oneof(map, unmap, flush, attach), { maxLength: 12 });

/** Events of operations of which up to three overlap. */
const events: fc.Arbitrary<ContractEvent[]> = fc
  .tuple(operations, fc.array(fc.nat({ max: 2 }), { minLength: 24, maxLength: 24 }))
  .map(([list, choices]) => interleave(list, choices));

function interleave(list: readonly Operation[], choices: readonly number[]): ContractEvent[] {
  const waiting = list.map((operation) => [...operation]);
  const merged: ContractEvent[] = [];
  for (const choice of choices) {
    const open = waiting.filter((operation) => operation.length > 0).slice(0, 3);
    const event = open[choice % open.length]?.shift();
    if (event !== undefined) merged.push(event);
  }
  return merged;
}

const results: Observed[] = [
  { kind: 'fault' },
  { kind: 'abort' },
  { kind: 'bypass' },
  ...[1, 2, 3, 4].flatMap((frame) =>
    [READ, RW].map((permissions): Observed => ({ kind: 'translated', pa: frame * PAGE_SIZE, permissions })),
  ),
];

/** Everything that the monitor permits and forbids now, with the rules broken. */
function judgement(monitor: TranslationMonitor): string[] {
  return WORLD.streams.flatMap((_pair, stream) =>
    WORLD.pages.flatMap((_iova, page) =>
      results.map((result) => monitor.allows(stream, page, result)?.rule ?? 'permitted'),
    ),
  );
}

describe('the fold of the translation monitor', () => {
  it('is undone exactly', () => {
    fc.assert(
      fc.property(events, fc.nat({ max: 24 }), (list, at) => {
        const store = new Store();
        const monitor = new TranslationMonitor(store, WORLD);
        for (const event of list.slice(0, at)) monitor.on(event);
        const cells = store.cells.slice();
        const judged = judgement(monitor);
        const mark = store.mark();
        for (const event of list.slice(at)) monitor.on(event);
        store.rollback(mark);
        expect(store.cells).toEqual(cells);
        expect(judgement(monitor)).toEqual(judged);
      }),
    );
  });

  it('writes nothing when it judges', () => {
    fc.assert(
      fc.property(events, (list) => {
        const store = new Store();
        const monitor = new TranslationMonitor(store, WORLD);
        for (const event of list) monitor.on(event);
        const mark = store.mark();
        judgement(monitor);
        expect(store.mark()).toBe(mark);
      }),
    );
  });

  it('does not depend on the order of events of unrelated pages, spaces and streams', () => {
    fc.assert(
      fc.property(events, fc.array(fc.nat({ max: 22 }), { maxLength: 20 }), (list, swaps) => {
        const swapped = [...list];
        for (const at of swaps) {
          const [first, second] = [swapped[at], swapped[at + 1]];
          if (first === undefined || second === undefined || related(first, second)) continue;
          swapped[at] = second;
          swapped[at + 1] = first;
        }
        const [left, right] = [fold(list), fold(swapped)];
        expect(left.cells).toEqual(right.cells);
      }),
    );
  });

  it('marks every slot at which less is permitted than before', () => {
    fc.assert(
      fc.property(events, (list) => {
        const monitor = new TranslationMonitor(new Store(), WORLD);
        let before = permitted(monitor);
        for (const event of list) {
          monitor.narrowed.clear();
          monitor.on(event);
          const marked = Array.from({ length: monitor.narrowed.count }, (_, position) => monitor.narrowed.at(position));
          const after = permitted(monitor);
          for (const [slot, allowed] of before.entries())
            if (!marked.includes(slot)) expect(after[slot]).toEqual(expect.arrayContaining(allowed));
          before = after;
        }
      }),
    );
  });

  it('always permits something', () => {
    fc.assert(
      fc.property(events, (list) => {
        const monitor = new TranslationMonitor(new Store(), WORLD);
        for (const event of list) {
          monitor.on(event);
          for (const allowed of permitted(monitor)) expect(allowed).not.toEqual([]);
        }
      }),
    );
  });
});

describe('the fold of the tag monitor', () => {
  const tag = fc.nat({ max: 2 });
  const owned = fc.record({ type: fc.constantFrom('tag.assign' as const, 'tag.release' as const), tag, space });
  const freed = fc.record({ type: fc.constant('tag.free' as const), tag });
  const event: fc.Arbitrary<ContractEvent> = fc
    .oneof(owned, freed)
    .map((fields) => ({ ...fields, kind: 'asid' as const }));

  it('is undone exactly, and changes nothing when a rule is broken', () => {
    fc.assert(
      fc.property(fc.array(event), fc.array(event), (before, after) => {
        const store = new Store();
        const monitor = new TagMonitor(store, WORLD, { asidInUse: () => undefined });
        for (const each of before) monitor.on(each);
        const cells = store.cells.slice();
        const mark = store.mark();
        for (const each of after) {
          const length = store.mark();
          if (monitor.on(each) !== undefined) expect(store.mark()).toBe(length);
        }
        store.rollback(mark);
        expect(store.cells).toEqual(cells);
      }),
    );
  });
});

/** The numbers of the results permitted, for each slot. */
function permitted(monitor: TranslationMonitor): number[][] {
  return WORLD.streams.flatMap((_pair, stream) =>
    WORLD.pages.map((_iova, page) =>
      results.flatMap((result, number) => (monitor.state.permits(stream, page, result) ? [number] : [])),
    ),
  );
}

function fold(list: readonly ContractEvent[]): Store {
  const store = new Store();
  const monitor = new TranslationMonitor(store, WORLD);
  for (const event of list) monitor.on(event);
  return store;
}

/** Events whose order may matter: of one page of a space, of one stream, or a flush and a page of its space. */
function related(first: ContractEvent, second: ContractEvent): boolean {
  const [one, other] = [{ ...first } as Record<string, unknown>, { ...second } as Record<string, unknown>];
  if (one['space'] !== other['space'] || one['substream'] !== other['substream']) return false;
  return one['iova'] === undefined || other['iova'] === undefined || one['iova'] === other['iova'];
}
