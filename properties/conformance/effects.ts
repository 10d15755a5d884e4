/** What an operation does to memory: the words it writes, in order. */
import { contiguousEntries } from '../../model/architecture/arm/layout/index.ts';
import { match } from 'ts-pattern';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import type { EntryPlace, Operation } from './operation.ts';
import { buildCd, buildClear, buildLeaf, buildSte, buildStreamTableL1, buildTable, coverage } from './structures.ts';
import { cdAddress, entryAddress, groupTarget, steAddress, streamTableL1 } from './world.ts';

/** A 64-bit word written to memory. */
export interface StoreEffect {
  readonly pa: number;
  readonly low: number;
  readonly high: number;
}

/** The words of a structure at consecutive addresses. */
const words = (pa: number, lanes: readonly number[]): StoreEffect[] =>
  Array.from({ length: lanes.length / 2 }, (_, index) => ({
    pa: pa + index * 8,
    low: lanes[index * 2] as number,
    high: lanes[index * 2 + 1] as number,
  }));

/** A structure written so that its first word, which makes it valid, comes last. */
const validLast = (pa: number, lanes: readonly number[]): StoreEffect[] => {
  const [first, ...rest] = words(pa, lanes);
  return first === undefined ? rest : [...rest, first];
};

/**
 * A leaf or an invalid entry written to the whole contiguous group of its place (Arm ARM D8.6.1): every entry of a group
 * must say the same, or a lookup is CONSTRAINED UNPREDICTABLE.
 */
const groupOf = (
  configuration: ConformanceConfiguration,
  place: EntryPlace,
  lanesOf: (index: number) => readonly number[],
): StoreEffect[] => {
  const { granule } = configuration.trees[place.tree] as Tree;
  const entries = contiguousEntries(granule, place.level);
  const first = Math.floor(entryAddress(configuration, place) / (entries * 8)) * entries * 8;
  return Array.from({ length: entries }, (_, index) => words(first + index * 8, lanesOf(index))).flat();
};

/** The words that an operation writes; none for operations on the device. */
export const storesOf = (configuration: ConformanceConfiguration, operation: Operation): StoreEffect[] =>
  match(operation)
    .with({ kind: 'ste' }, ({ stream, context, form }) =>
      validLast(steAddress(configuration.devices[stream] as number), buildSte(configuration, context, form)),
    )
    .with({ kind: 'cd' }, ({ context, form, copy }) =>
      validLast(cdAddress(context), buildCd(configuration, context, form, copy)),
    )
    .with({ kind: 'stream-table' }, ({ form }) => words(streamTableL1, buildStreamTableL1(form)))
    .with({ kind: 'table' }, (table) =>
      words(entryAddress(configuration, table.place), buildTable(configuration, table)),
    )
    .with({ kind: 'leaf' }, (leaf) => {
      if (!leaf.contiguous) return words(entryAddress(configuration, leaf.place), buildLeaf(configuration, leaf));
      const tree = configuration.trees[leaf.place.tree] as Tree;
      const size = coverage(tree, leaf.place.level);
      return groupOf(configuration, leaf.place, (index) => {
        const { target } = leaf;
        const base = target === 'out-of-range' ? undefined : groupTarget(target);
        return buildLeaf(configuration, leaf, base === undefined ? undefined : base + index * size);
      });
    })
    .with({ kind: 'clear' }, ({ place, garbage, contiguous }) => {
      const lanes = buildClear(configuration, place, garbage);
      return contiguous ? groupOf(configuration, place, () => lanes) : words(entryAddress(configuration, place), lanes);
    })
    .with(
      { kind: 'command' },
      { kind: 'enable' },
      { kind: 'stream-format' },
      { kind: 'overflow' },
      { kind: 'access' },
      () => [],
    )
    .exhaustive();
