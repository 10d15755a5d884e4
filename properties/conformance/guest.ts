/** Where the stage 2 tables of guests are, and which IPA a guest page stands for: functions of the reference alone. */
import { levelShift } from '../../model/architecture/arm/layout/index.ts';
import type { GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Guest, GuestPage, Tree } from './configuration.ts';
import type { GuestPlace } from './operation.ts';
import { cdAddress, entryAddress, groupTarget, targetAddress, treeOffset } from './world.ts';

/** Tables of stage 2, in memory that no IPA leads to. Each guest has 64 MiB: root tables first, then the others. */
const guestTables = 0x4400_0000;
const guestBytes = 0x400_0000;
/** Room for the 16 concatenated root tables of the largest granule, to whose size they are aligned. */
const rootBytes = 0x10_0000;
const lowerTables = 0x40_0000;
const tableBytes = 0x1_0000;

/** Most guest pages of a configuration: the tables of two guests end where other things begin. */
export const guestPagesMax = 80;

/** The guests of a configuration. */
export const guestsOf = ({ guests }: ConformanceConfiguration): readonly Guest[] => guests ?? [];

/** The guest pages of a configuration. */
export const guestPagesOf = ({ guestPages }: ConformanceConfiguration): readonly GuestPage[] => guestPages ?? [];

/** The IPA that a guest page stands for, rounded down to 8 bytes. */
export const guestPageIpa = (configuration: ConformanceConfiguration, index: number): number => {
  const page = guestPagesOf(configuration)[index] as GuestPage;
  switch (page.of) {
    case 'cd':
      return cdAddress(configuration, page.context);
    case 'table':
      return entryAddress(configuration, page);
    case 'input':
      return configuration.pages[page.page] as number;
    case 'frame': {
      const tree = configuration.trees[page.tree] as Tree;
      const size = page.contiguous ? groupBytes : 2 ** levelShift(tree.granule, page.level);
      const base = page.contiguous ? groupTarget(page.target) : targetAddress(tree, page.level, page.target);
      return base + (treeOffset(configuration, tree, page.page) % size);
    }
  }
};

/** Size of the largest contiguous group of pages: 32 pages of 64 KiB, or 128 of 16 KiB. */
const groupBytes = 0x20_0000;

/** Levels at which stage 2 walks may start for an input size: with up to 16 concatenated tables (Arm ARM D8.2.2). */
export const startLevels = (granule: GranuleBits, inputBits: number): number[] =>
  // S2SL0 has no encoding for level 0 with the 16 and 64 KiB granules, nor for level 3 with 4 KiB.
  (granule === 12 ? [0, 1, 2] : [1, 2, 3]).filter((level) => {
    const one = levelShift(granule, level);
    return inputBits > one && inputBits <= one + granule - 3 + 4;
  });

const tableAddress = (configuration: ConformanceConfiguration, place: GuestPlace): number => {
  const { granule, startLevel } = guestsOf(configuration)[place.guest] as Guest;
  const base = guestTables + place.guest * guestBytes;
  if (place.level <= startLevel) return base + place.copy * rootBytes;
  const prefix = (page: number): number =>
    Math.floor(guestPageIpa(configuration, page) / 2 ** levelShift(granule, place.level - 1));
  const own = prefix(place.page);
  const owner = guestPagesOf(configuration).findIndex((_, page) => prefix(page) === own);
  return base + lowerTables + ((place.level * guestPagesMax + owner) * 2 + place.copy) * tableBytes;
};

/** Address of a guest's root tables. */
export const guestRoot = (guest: number, copy: number): number => guestTables + guest * guestBytes + copy * rootBytes;

/** Address of a stage 2 table entry. */
export const guestEntryAddress = (configuration: ConformanceConfiguration, place: GuestPlace): number => {
  const { granule, startLevel } = guestsOf(configuration)[place.guest] as Guest;
  const index = Math.floor(guestPageIpa(configuration, place.page) / 2 ** levelShift(granule, place.level));
  const entries = place.level <= startLevel ? 2 ** (granule - 3 + 4) : 2 ** (granule - 3);
  return tableAddress(configuration, place) + (index % entries) * 8;
};

/** Address of the table below an entry. */
export const guestTableBelow = (configuration: ConformanceConfiguration, place: GuestPlace, copy: number): number =>
  tableAddress(configuration, { ...place, level: place.level + 1, copy });
