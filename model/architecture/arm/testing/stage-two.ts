import type { SmmuFeatures } from '../layout/features.ts';
import type { CD } from '../layout/cd.ts';
import { STAGE2_LEAF, levelShift } from '../layout/descriptor.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { STE } from '../layout/ste.ts';
import type { Slot } from '../universe.ts';
import { AT, TestWorld } from './world.ts';

/** Where the tables of stage 2 are in the memory of a `StageTwoWorld`. */
const ROOT = 0x8_0000;

/** A block or page descriptor of stage 2, Normal memory that all may read and write. */
export function leafOfStageTwo(pa: number, values: FieldValues<typeof STAGE2_LEAF> = {}, level = 3): number[] {
  const usual = { Valid: 1, Page: level === 3 ? 1 : 0, AF: 1, S2AP: 3, MemAttr: 15, Address: pa };
  return encode(STAGE2_LEAF, { ...usual, ...values });
}

/**
 * A world with stage 2 tables of 4 KiB granule and 39-bit IPAs from level 1, VMID 1. IPA pages below 2 MiB are mapped one
 * by one, and unless said otherwise to themselves.
 */
export class StageTwoWorld extends TestWorld {
  readonly root = ROOT;
  readonly middle = ROOT + 0x1000;
  /** The table of level 3 for IPAs below 2 MiB. */
  readonly pages = ROOT + 0x2000;

  constructor(slots: readonly Slot[], features: Partial<SmmuFeatures> = {}) {
    super(slots, features);
    this.link(this.root, 0, 1, this.middle);
    this.link(this.middle, 0, 2, this.pages);
  }

  /** Maps an IPA at a level of stage 2; without `pa`, unmaps it. */
  mapIpa(ipa: number, pa?: number, values: FieldValues<typeof STAGE2_LEAF> = {}, level = 3): void {
    const table = level === 3 ? this.pages : this.middle;
    const entry = table + 8 * (Math.floor(ipa / 2 ** levelShift(12, level)) % 512);
    this.write(entry, pa === undefined ? [0, 0] : leafOfStageTwo(pa, values, level));
  }

  /** Maps IPA pages to themselves. */
  identity(...ipas: readonly number[]): void {
    for (const ipa of ipas) this.mapIpa(ipa, ipa);
  }

  /** Writes an STE with stage 2 (Config 6 unless said otherwise), which records its faults. */
  steTwo(streamId: number, values: FieldValues<typeof STE> = {}): void {
    const stage2 = { S2VMID: 1, S2AA64: 1, S2T0SZ: 25, S2SL0: 1, S2PS: 5, S2TTB: this.root, S2R: 1 };
    const usual = { V: 1, Config: 6, S1ContextPtr: AT.cds + 0x1000 * streamId };
    this.structure(AT.streamTable + 64 * streamId, encode(STE, { ...usual, ...stage2, ...values }));
  }
}

/** A nested world made by `nest`. */
export interface Nested {
  readonly world: StageTwoWorld;
  readonly top: number;
  readonly middle: number;
  readonly bottom: number;
}

/**
 * Stream 1 with both stages, VMID 1 and ASID 5. The tables of stage 1, for 0x1000, and the CD are at IPAs equal to
 * their physical addresses.
 *
 * @param others more slots, of other streams.
 */
export function nest(
  addresses: number[],
  cd: FieldValues<typeof CD> = {},
  features: Partial<SmmuFeatures> = {},
  others: readonly Slot[] = [],
): Nested {
  const slots = addresses.map((va) => ({ streamId: 1, substream: -1, va }));
  const world = new StageTwoWorld([...slots, ...others], features);
  const tables = world.tree(0x1000);
  world.identity(AT.cds + 0x1000, tables.top, tables.middle, tables.bottom);
  world.cd(1, { ASID: 5, TTB0: tables.top, ...cd });
  world.steTwo(1, { Config: 7 });
  world.enable();
  return { world, ...tables };
}
