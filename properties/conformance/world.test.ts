import { test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import { programArbitrary } from './arbitrary.ts';
import type { ConformanceConfiguration } from './configuration.ts';
import { storesOf } from './effects.ts';
import { Patterns, patternOf } from './patterns.ts';
import {
  accessOffset,
  entryAddress,
  inputAddress,
  rootLevel,
  tableAddress,
  targetAddress,
  treeOffset,
  watchedAddresses,
} from './world.ts';

const base: ConformanceConfiguration = {
  twoLevelStreams: false,
  shortStreamTable: false,
  recordBadStreamId: true,
  pages: [0x5800_0000, 0x5800_1000, 0x5820_0000],
  vaBits: 39,
  trees: [
    { granule: 12, inputBits: 39, half: 0 },
    { granule: 12, inputBits: 48, half: 1 },
  ],
  contexts: [
    {
      vmid: 0,
      asid: 1,
      low: 0,
      high: 1,
      topByteIgnore: 3,
      hierarchyDisabled: false,
      accessFlagFaultDisabled: false,
      addressSize: 5,
    },
  ],
  devices: [0],
};

test('pages share exactly the tables that their addresses share', () => {
  const at = (page: number, level: number, copy = 0): number => tableAddress(base, { tree: 0, page, level, copy });
  expect(at(0, 3)).toBe(at(1, 3));
  expect(at(0, 3)).not.toBe(at(2, 3));
  expect(at(0, 2)).toBe(at(2, 2));
  expect(at(0, 3)).not.toBe(at(0, 3, 1));
  expect(entryAddress(base, { tree: 0, page: 1, level: 3, copy: 0 })).toBe(at(0, 3) + 8);
});

property.prop([programArbitrary()])('tables of different trees, levels, prefixes and copies are apart', (program) => {
  const { configuration } = program;
  const owners = new Map<number, string>();
  for (const [tree, shape] of configuration.trees.entries())
    for (let level = rootLevel(shape); level <= 3; level++)
      for (const page of configuration.pages.keys())
        for (const copy of [0, 1]) {
          const prefix = Math.floor(treeOffset(configuration, shape, page) / 2 ** levelShift(shape.granule, level - 1));
          const name = `${tree}/${level}/${level === rootLevel(shape) ? 0 : prefix}/${copy}`;
          const address = tableAddress(configuration, { tree, page, level, copy });
          expect(owners.get(address) ?? name).toBe(name);
          owners.set(address, name);
          expect(address % 2 ** shape.granule).toBe(0);
        }
});

property.prop([programArbitrary()])('every place that a valid leaf leads to is watched', (program) => {
  const { configuration, operations } = program;
  const watched = new Set(watchedAddresses(configuration));
  for (const operation of operations) {
    if (operation.kind !== 'leaf' || typeof operation.target !== 'number' || operation.contiguous) continue;
    const tree = configuration.trees[operation.place.tree];
    if (tree === undefined) throw new Error('no such tree');
    const size = 2 ** levelShift(tree.granule, operation.place.level);
    const offset = treeOffset(configuration, tree, operation.place.page) % size;
    const pa = targetAddress(tree, operation.place.level, operation.target) + offset + accessOffset;
    // A block as large as the memory maps some pages to where there is no RAM.
    if (pa >= 0x5000_0000 && pa < 0xc000_0000) expect(watched.has(pa)).toBe(true);
  }
});

test('input addresses: halves, tags, and one beyond the range', () => {
  const of = (access: Parameters<typeof inputAddress>[1]): string => {
    const { low, high } = inputAddress(base, access);
    return ((BigInt(high) << 32n) | BigInt(low)).toString(16);
  };
  expect(of({ page: 0, half: 0 })).toBe('58000040');
  expect(of({ page: 0, half: 1 })).toBe('ffffff8058000040');
  expect(of({ page: 0, half: 0, tag: 0x5a })).toBe('5a00000058000040');
  expect(of({ page: 0, half: 1, tag: 0x5a })).toBe('5affff8058000040');
  expect(of({ page: 0, half: 0, beyond: true })).toBe('4000058000040');
});

test('structures are written with the word that makes them valid last; contiguous groups as a whole', () => {
  const ste = storesOf(base, { kind: 'ste', stream: 0, context: 0, form: 'translate' });
  expect(ste).toHaveLength(8);
  expect((ste.at(-1)?.low ?? 0) & 1).toBe(1);
  const group = storesOf(base, {
    kind: 'leaf',
    place: { tree: 0, page: 1, level: 3, copy: 0 },
    target: 0,
    ap: 1,
    global: false,
    accessFlag: true,
    contiguous: true,
  });
  expect(group.map(({ low }) => (low >>> 12) * 4096)).toEqual(
    Array.from({ length: 16 }, (_, index) => 0x6000_0000 + index * 4096),
  );
  const clear = storesOf(base, {
    kind: 'clear',
    place: { tree: 0, page: 1, level: 3, copy: 0 },
    garbage: true,
    contiguous: false,
  });
  expect(clear.map(({ low }) => low & 1)).toEqual([0]);
  expect(storesOf(base, { kind: 'enable', on: true })).toEqual([]);
});

test('patterns name the place that a value comes from', () => {
  const patterns = new Patterns(base);
  const [first] = patterns.addresses;
  expect(patterns.at(first ?? 0)).toBe(patternOf(0));
  expect(patterns.source(patternOf(0))).toBe(first);
  expect(patterns.source(0x1234)).toBeUndefined();
  expect(patterns.at(4)).toBeUndefined();
});
