/** What an operation does to memory: the words it writes, in order. */
import { contiguousEntries } from '../../model/architecture/arm/layout/index.ts';
import { match } from 'ts-pattern';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import { guestEntryAddress } from './guest.ts';
import { buildGuestTable, guestClearEntries, guestLeafEntries } from './guest-structures.ts';
import type { GuestEntry } from './guest-structures.ts';
import type { EntryPlace, Operation } from './operation.ts';
import { buildCd, buildClear, buildLeaf, buildSte, buildStreamTableL1, buildTable, coverage } from './structures.ts';
import { backing, cdAddress, entryAddress, groupTarget, steAddress, streamTableL1Address } from './world.ts';

type Kind<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

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
  const first = Math.floor(placeAddress(configuration, place) / (entries * 8)) * entries * 8;
  return Array.from({ length: entries }, (_, index) => words(first + index * 8, lanesOf(index))).flat();
};

/** Physical address of an entry: behind stage 2, if the tree is a guest's. */
const placeAddress = (configuration: ConformanceConfiguration, place: EntryPlace): number => {
  const address = entryAddress(configuration, place);
  return configuration.trees[place.tree]?.guest === true ? backing(address, place.twin === true) : address;
};

const cdPlace = (configuration: ConformanceConfiguration, { context, twin }: Kind<'cd'>): number => {
  const address = cdAddress(configuration, context);
  return configuration.contexts[context]?.guest === undefined ? address : backing(address, twin === true);
};

const streamTableWords = (configuration: ConformanceConfiguration, { form, stream }: Kind<'stream-table'>) => {
  const device = stream === undefined ? 0 : (configuration.devices[stream] as number);
  return words(streamTableL1Address(device), buildStreamTableL1(form, device));
};

const guestWords = (entries: readonly GuestEntry[]): StoreEffect[] =>
  entries.flatMap(({ pa, lanes }) => words(pa, lanes));

/** The words that an operation writes; none for operations on the device. */
export const storesOf = (configuration: ConformanceConfiguration, operation: Operation): StoreEffect[] =>
  match(operation)
    .with({ kind: 'ste' }, ({ stream, context, form, stage1Off }) =>
      validLast(steAddress(configuration.devices[stream] as number), buildSte(configuration, context, form, stage1Off)),
    )
    .with({ kind: 'cd' }, (cd) =>
      validLast(cdPlace(configuration, cd), buildCd(configuration, cd.context, cd.form, cd.copy)),
    )
    .with({ kind: 'stream-table' }, (descriptor) => streamTableWords(configuration, descriptor))
    .with({ kind: 'table' }, (table) =>
      words(placeAddress(configuration, table.place), buildTable(configuration, table)),
    )
    .with({ kind: 's2-table' }, (table) =>
      words(guestEntryAddress(configuration, table.place), buildGuestTable(configuration, table)),
    )
    .with({ kind: 's2-leaf' }, (leaf) => guestWords(guestLeafEntries(configuration, leaf)))
    .with({ kind: 's2-clear' }, (clear) => guestWords(guestClearEntries(configuration, clear)))
    .with({ kind: 'leaf' }, (leaf) => {
      if (!leaf.contiguous) return words(placeAddress(configuration, leaf.place), buildLeaf(configuration, leaf));
      const tree = configuration.trees[leaf.place.tree] as Tree;
      const size = coverage(tree, leaf.place.level);
      return groupOf(configuration, leaf.place, (index) => {
        const { target } = leaf;
        const base = typeof target === 'number' ? groupTarget(target) : undefined;
        return buildLeaf(configuration, leaf, base === undefined ? undefined : base + index * size);
      });
    })
    .with({ kind: 'clear' }, ({ place, garbage, contiguous }) => {
      const lanes = buildClear(configuration, place, garbage);
      return contiguous ? groupOf(configuration, place, () => lanes) : words(placeAddress(configuration, place), lanes);
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
