/**
 * Where things are in memory: a fixed map, and functions from symbolic references to addresses.
 *
 * The map is a function of the reference alone (never of what was allocated before), which is what makes operations
 * independent of each other. It is sized for the RAM of 6 GiB from 0x40000000 of QEMU's `virt` machine: the first 2 GiB
 * are for the host, and laid out in the same way for guests, whose IPAs have two places each in the other 4 GiB.
 */
import { contiguousEntries, levelShift, startLevel } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Tree } from './configuration.ts';
import type { EntryPlace } from './operation.ts';

/** First address and size of the RAM, bytes. */
export const ramBase = 0x4000_0000;
export const ramBytes = 0x1_8000_0000;
/** End of the host's part, and of the IPAs of guests. */
const hostEnd = 0xc000_0000;

export const commandQueue = { base: 0x4010_0000, log2Entries: 8 } as const;
export const eventQueue = { base: 0x4011_0000, log2Entries: 8 } as const;

/** Linear stream table: 64 entries; also the second level of the two-level one. */
export const streamTable = 0x4020_0000;
/** Level 1 of the two-level stream table. */
export const streamTableL1 = 0x4021_0000;
/** log2 of the number of StreamIDs of the linear stream table. */
export const streamTableLog2 = 6;
const contextDescriptors = 0x4023_0000;
/** CDs of guests, 64 KiB apart, so that stage 2 maps each by itself whatever its granule. */
const guestDescriptors = 0x4024_0000;
const tables = 0x4100_0000;
/** A place for harness data that no program names. */
export const scratch = 0x4030_0000;

/** An address inside the output range of the largest address sizes at which there is nothing. */
export const absentAddress = 0x200_0000_0000;
/** An address beyond every output address size that the device has (44 bits). */
export const outOfRangeAddress = 2 ** 46;

/** Number of devices on bus 0; the others are behind a bridge each. */
const directDevices = 4;

/** StreamID of a DMA device: (PCI device number << 3) on bus 0, from device number 2 on; device 0 of bus 1 and of bus 2. */
export const streamIdOf = (device: number): number =>
  device < directDevices ? (device + 2) << 3 : (device - directDevices + 1) << 8;

/** Whether a device is behind a bridge. */
export const isBridged = (device: number): boolean => device >= directDevices;

/** Whether a device is a rocker (it writes or swaps) rather than an edu (it reads or writes). */
export const isRocker = (device: number): boolean => device < 2 || device === 4;

/** Address of the stream table entry of a device. */
export const steAddress = (device: number): number => streamTable + streamIdOf(device) * 64;

/** Address of the level 1 stream table descriptor that covers a device, of a table split at StreamID bit 6. */
export const streamTableL1Address = (device: number): number => streamTableL1 + (streamIdOf(device) >> 6) * 8;

/** Address of a context's descriptor; an IPA, if the context has a guest. */
export const cdAddress = ({ contexts }: ConformanceConfiguration, context: number): number =>
  contexts[context]?.guest === undefined ? contextDescriptors + context * 64 : guestDescriptors + context * tableBytes;

/** Distance of the tables from each other: the size of the largest granule. */
export const tableBytes = 0x1_0000;
const pagesMax = 8;

/** The position within a tree's input range at which a page is translated. */
export const treeOffset = (configuration: ConformanceConfiguration, tree: Tree, page: number): number => {
  const offset = configuration.pages[page] as number;
  return tree.half === 0 ? offset : 2 ** tree.inputBits - 2 ** configuration.vaBits + offset;
};

/** Level of a tree's root table. */
export const rootLevel = (tree: Tree): number => startLevel(tree.granule, tree.inputBits);

/** Which table of a level a page's walk uses: two pages have the same number iff they share that table. */
const tablePrefix = (configuration: ConformanceConfiguration, tree: Tree, page: number, level: number): number =>
  level <= rootLevel(tree)
    ? 0
    : Math.floor(treeOffset(configuration, tree, page) / 2 ** levelShift(tree.granule, level - 1));

/** Address of the table of a level in the walk of a page; an IPA, if the tree is a guest's. Tables are shared exactly by the pages that share the prefix. */
export const tableAddress = (
  configuration: ConformanceConfiguration,
  place: { tree: number; page: number; level: number; copy: number },
): number => {
  const tree = configuration.trees[place.tree] as Tree;
  const prefix = tablePrefix(configuration, tree, place.page, place.level);
  const owner = configuration.pages.findIndex(
    (_, page) => tablePrefix(configuration, tree, page, place.level) === prefix,
  );
  return tables + (((place.tree * 4 + place.level) * pagesMax + owner) * 2 + place.copy) * tableBytes;
};

/** Address of an entry. */
export const entryAddress = (configuration: ConformanceConfiguration, place: EntryPlace): number => {
  const tree = configuration.trees[place.tree] as Tree;
  const offset = treeOffset(configuration, tree, place.page);
  const index = Math.floor(offset / 2 ** levelShift(tree.granule, place.level)) % 2 ** (tree.granule - 3);
  return tableAddress(configuration, place) + index * 8;
};

/**
 * Address that a leaf points at, for a target number: one of eight frames of 64 KiB for a page, one of two blocks of up
 * to 512 MiB, the one block of 1 GiB that holds no tables. A larger block covers everything; it starts at 0, so that a
 * device which wrongly accepts it translates to the input address.
 */
export const targetAddress = (tree: Tree, level: number, target: number): number => {
  if (level === 3) return 0x5000_0000 + (target % 8) * tableBytes;
  const size = 2 ** levelShift(tree.granule, level);
  if (size <= 0x2000_0000) return 0x6000_0000 + (target % 2) * size;
  return size === 0x4000_0000 ? 0x8000_0000 : 0;
};

/** Start of the output of a contiguous group, aligned to the largest group (2 MiB): two to choose from. */
export const groupTarget = (target: number): number => 0x6000_0000 + (target % 2) * 0x20_0000;

/** Distance from an IPA to the two places that stage 2 maps it to, both multiples of every block size. */
const homeDistance = 0x8000_0000;
const twinDistance = 0x1_0000_0000;

/** The places behind an IPA. */
export const backing = (ipa: number, twin: boolean): number => ipa + (twin ? twinDistance : homeDistance);

/** Byte within a page that every access touches. */
export const accessOffset = 0x40;

/** Input address of an access as two unsigned lanes. */
export const inputAddress = (
  configuration: ConformanceConfiguration,
  access: { page: number; half: 0 | 1; tag?: number | undefined; beyond?: boolean | undefined },
): { low: number; high: number } => {
  const offset = (configuration.pages[access.page] as number) + accessOffset;
  const low = offset >>> 0;
  let high = Math.floor(offset / 2 ** 32);
  const above = configuration.vaBits - 32;
  if (access.half === 1) high |= above === 0 ? -1 : ~((1 << above) - 1);
  // The highest bit of the input range of the widest tree is 47, so flipping bit 50 leaves every range.
  if (access.beyond === true) high ^= 1 << 18;
  if (access.tag !== undefined) high = (high & 0x00ff_ffff) | (access.tag << 24);
  return { low, high: high >>> 0 };
};

/**
 * Every address at which an access of a program could land: through any page or block target, by bypass, or by a block
 * wrongly accepted at a higher level. Each gets a fill pattern of its own.
 */
export const watchedAddresses = (configuration: ConformanceConfiguration): number[] => {
  const found = new Set<number>();
  const add = (address: number): void => {
    if (address < 0x5000_0000 || address >= hostEnd) return;
    found.add(address);
    if ((configuration.guests ?? []).length === 0) return;
    found.add(backing(address, false));
    found.add(backing(address, true));
  };
  for (const page of configuration.pages) {
    add((page % 2 ** 39) + accessOffset);
    add(page + accessOffset);
  }
  for (const tree of configuration.trees)
    for (const target of [0, 1])
      configuration.pages.forEach((_, page) => {
        const bytes = contiguousEntries(tree.granule, 3) * 2 ** tree.granule;
        add(groupTarget(target) + (treeOffset(configuration, tree, page) % bytes) + accessOffset);
      });
  for (const tree of configuration.trees)
    for (let level = rootLevel(tree); level <= 3; level++)
      for (let target = 0; target < 8; target++)
        configuration.pages.forEach((_, page) => {
          const size = 2 ** levelShift(tree.granule, level);
          const base = targetAddress(tree, level, target);
          add(Math.floor(base / size) * size + (treeOffset(configuration, tree, page) % size) + accessOffset);
        });
  return [...found].sort((a, b) => a - b);
};
