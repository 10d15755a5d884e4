/** Builds the structures of stage 2: the fields of an STE, and descriptors. */
import {
  contiguousEntries,
  encode,
  levelShift,
  STAGE2_LEAF,
  STE,
  STE_CONFIG,
  TABLE_DESCRIPTOR,
  TABLE_DESCRIPTOR_64K,
} from '../../model/architecture/arm/layout/index.ts';
import type { FieldValues, GranuleBits } from '../../model/architecture/arm/layout/index.ts';
import type { ConformanceConfiguration, Guest } from './configuration.ts';
import { guestEntryAddress, guestPageIpa, guestRoot, guestsOf, guestTableBelow } from './guest.ts';
import type { Operation, SteForm } from './operation.ts';
import { absentAddress, backing, outOfRangeAddress } from './world.ts';

type SteFields = FieldValues<typeof STE>;
type Kind<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

const s2tg = (granule: GranuleBits): number => (granule === 12 ? 0 : granule === 16 ? 1 : 2);

/** S2SL0 for a start level (IHI 0070 §5.2, as VTCR_EL2.SL0): it counts down from level 2 with 4 KiB, else from 3. */
const s2sl0 = (granule: GranuleBits, startLevel: number): number => (granule === 12 ? 2 : 3) - startLevel;

/** Fields of an STE that enables stage 2, with or without stage 1. */
export const stage2Fields = (configuration: ConformanceConfiguration, guest: number, stage1Off: boolean): SteFields => {
  const { vmid, granule, inputBits, startLevel, addressSize, accessFlagFaultDisabled, protectedWalk } = guestsOf(
    configuration,
  )[guest] as Guest;
  return {
    Config: stage1Off ? STE_CONFIG.STAGE2 : STE_CONFIG.NESTED,
    S2VMID: vmid,
    S2T0SZ: 64 - inputBits,
    S2SL0: s2sl0(granule, startLevel),
    S2TG: s2tg(granule),
    S2PS: addressSize,
    S2AA64: 1,
    S2AFFD: accessFlagFaultDisabled ? 1 : 0,
    S2PTW: protectedWalk ? 1 : 0,
    S2R: 1,
    S2TTB: guestRoot(guest, 0),
  };
};

/** What a form changes in the stage 2 fields. */
export const stage2Change = (form: SteForm): SteFields => {
  switch (form) {
    case 's2-no-record':
      return { S2R: 0 };
    case 's2-stall':
      return { S2S: 1 };
    case 's2-hardware-access-flag':
      return { S2HA: 1 };
    case 's2-big-endian':
      return { S2ENDI: 1 };
    case 's2-granule-reserved':
      return { S2TG: 3 };
    case 's2-start-level':
      // 44 bits are more than 16 tables of level 2 (4 KiB granule) or level 3 cover.
      return { S2SL0: 0, S2T0SZ: 20 };
    case 's2-input-too-small':
      return { S2T0SZ: 40 };
    case 's2-input-too-large':
      return { S2T0SZ: 15 };
    case 's2-table-out-of-range':
      return { S2TTB: outOfRangeAddress };
    default:
      return {};
  }
};

/** Lanes of a stage 2 table descriptor. */
export const buildGuestTable = (configuration: ConformanceConfiguration, { place, to }: Kind<'s2-table'>): number[] => {
  const { granule } = guestsOf(configuration)[place.guest] as Guest;
  const Address =
    to === 'absent'
      ? absentAddress
      : to === 'out-of-range'
        ? outOfRangeAddress
        : guestTableBelow(configuration, place, to);
  const fields = { Valid: 1, Table: 1, Address };
  return granule === 16 ? encode(TABLE_DESCRIPTOR_64K, fields) : encode(TABLE_DESCRIPTOR, fields);
};

/** Values of MemAttr (Arm ARM D8.6.6): Normal write-back, Device-nGnRE. */
const normal = 0xf;
const deviceMemory = 1;

const leafFields = (leaf: Kind<'s2-leaf'>): FieldValues<typeof STAGE2_LEAF> => ({
  Valid: 1,
  Page: leaf.place.level === 3 ? 1 : 0,
  MemAttr: leaf.device === true ? deviceMemory : normal,
  S2AP: leaf.s2ap,
  SH: 3,
  AF: leaf.accessFlag ? 1 : 0,
  Contiguous: leaf.contiguous ? 1 : 0,
});

/** A word of a table. */
export interface GuestEntry {
  readonly pa: number;
  readonly lanes: readonly number[];
}

/** The entries of a place: the one, or the whole contiguous group that it belongs to. */
const groupOf = (
  configuration: ConformanceConfiguration,
  { place, contiguous }: Kind<'s2-leaf' | 's2-clear'>,
  lanesOf: (index: number, entries: number) => readonly number[],
): GuestEntry[] => {
  const at = guestEntryAddress(configuration, place);
  if (!contiguous) return [{ pa: at, lanes: lanesOf(0, 1) }];
  const { granule } = guestsOf(configuration)[place.guest] as Guest;
  const entries = contiguousEntries(granule, place.level);
  const first = Math.floor(at / (entries * 8)) * entries * 8;
  return Array.from({ length: entries }, (_, index) => ({ pa: first + index * 8, lanes: lanesOf(index, entries) }));
};

/** The entries that a stage 2 leaf writes. Its output has the alignment of its size, or of its group's. */
export const guestLeafEntries = (configuration: ConformanceConfiguration, leaf: Kind<'s2-leaf'>): GuestEntry[] => {
  const { granule } = guestsOf(configuration)[leaf.place.guest] as Guest;
  const size = 2 ** levelShift(granule, leaf.place.level);
  const ipa = guestPageIpa(configuration, leaf.place.page);
  return groupOf(configuration, leaf, (index, entries) => {
    const { target } = leaf;
    const base =
      target === 'absent'
        ? absentAddress
        : target === 'out-of-range'
          ? outOfRangeAddress
          : backing(Math.floor(ipa / (size * entries)) * size * entries, target === 'twin');
    return encode(STAGE2_LEAF, { ...leafFields(leaf), Address: base + index * size });
  });
};

/** The entries that a stage 2 clear writes. */
export const guestClearEntries = (configuration: ConformanceConfiguration, clear: Kind<'s2-clear'>): GuestEntry[] =>
  groupOf(configuration, clear, () =>
    clear.garbage
      ? encode(STAGE2_LEAF, { Page: 1, MemAttr: normal, S2AP: 3, AF: 1, Address: backing(0x5000_0000, false) })
      : [0, 0],
  );
