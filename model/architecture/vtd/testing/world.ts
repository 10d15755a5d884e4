import { Store } from '../../../../engine/store.ts';
import { TestMemory } from '../../arm/testing/world.ts';
import {
  DESCRIPTOR_TYPE,
  encode,
  IOTLB_GRANULARITY,
  IOTLB_INVALIDATE,
  PASID_CACHE_GRANULARITY,
  PASID_CACHE_INVALIDATE,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_DIRECTORY_ENTRY,
  PASID_ENTRY,
  PASID_IOTLB_GRANULARITY,
  PASID_IOTLB_INVALIDATE,
  PGTT,
  WAIT,
  type FieldValues,
} from '../layout/index.ts';
import type { VtdUniverse } from '../universe.ts';
import { Vtd } from '../vtd.ts';

/** Two functions, PASIDs 1 and 2, domain-ids 1 and 2, two spaces, two pages. */
export const UNIVERSE: VtdUniverse = {
  devices: [
    { sourceId: 8, directory: 0x1000, ats: true },
    { sourceId: 16, directory: 0x2000, ats: true },
  ],
  pasids: [1, 2],
  dids: [1, 2],
  spaces: [
    { name: 'space 0', firstStage: 0x10_0000, secondStage: 0x11_0000 },
    { name: 'space 1', firstStage: 0x12_0000, secondStage: 0x13_0000 },
  ],
  pages: [0, 1],
};

/** Where the PASID table of each function is. */
export const TABLES = [0x3000, 0x4000] as const;

/** All bits of a page number but the highest: an ATS invalidation of everything. */
const EVERYTHING = 2 ** 63 - 2 ** 12;

/** Descriptors as lanes. */
export const descriptors = {
  pasidCache: (did: number, pasid: number, granularity: number = PASID_CACHE_GRANULARITY.PASID): number[] =>
    encode(PASID_CACHE_INVALIDATE, { Type: DESCRIPTOR_TYPE.PASID_CACHE, G: granularity, DID: did, PASID: pasid }),
  domain: (did: number): number[] =>
    encode(IOTLB_INVALIDATE, { Type: DESCRIPTOR_TYPE.IOTLB, G: IOTLB_GRANULARITY.DOMAIN, DID: did }),
  pasidIotlb: (did: number, pasid: number): number[] =>
    encode(PASID_IOTLB_INVALIDATE, {
      Type: DESCRIPTOR_TYPE.PASID_IOTLB,
      G: PASID_IOTLB_GRANULARITY.PASID,
      DID: did,
      PASID: pasid,
    }),
  page: (did: number, pasid: number, page: number): number[] =>
    encode(PASID_IOTLB_INVALIDATE, {
      Type: DESCRIPTOR_TYPE.PASID_IOTLB,
      G: PASID_IOTLB_GRANULARITY.PAGE,
      DID: did,
      PASID: pasid,
      Address: page * 4096,
    }),
  deviceTlb: (sourceId: number, pasid: number): number[] =>
    encode(PASID_DEVICE_TLB_INVALIDATE, {
      Type: DESCRIPTOR_TYPE.PASID_DEVICE_TLB,
      SID: sourceId,
      PASID: pasid,
      S: 1,
      Address: EVERYTHING,
    }),
  wait: (): number[] => encode(WAIT, { Type: DESCRIPTOR_TYPE.WAIT, SW: 1 }),
};

/** The fields of an entry for a space. */
export function entryOf(type: number, did: number, space: number): FieldValues<typeof PASID_ENTRY> {
  const { firstStage = 0, secondStage = 0 } = UNIVERSE.spaces[space] ?? {};
  return {
    P: 1,
    PGTT: type,
    DID: did,
    ...(type === PGTT.SECOND_STAGE || type === PGTT.NESTED ? { SLPTPTR: secondStage } : {}),
    ...(type === PGTT.FIRST_STAGE || type === PGTT.NESTED ? { FLPTPTR: firstStage } : {}),
  };
}

/** A model with PASID tables in memory. */
export class VtdWorld {
  readonly store = new Store();
  readonly memory = new TestMemory(this.store, 0x1_0000);
  readonly vtd: Vtd;

  constructor(universe: VtdUniverse = UNIVERSE) {
    for (const [device, { directory }] of universe.devices.entries()) {
      const lanes = encode(PASID_DIRECTORY_ENTRY, { P: 1, SMPTBLPTR: TABLES[device] as number });
      this.memory.set(directory, lanes[0] as number, lanes[1] as number);
    }
    this.vtd = new Vtd(this.store, this.memory, universe);
  }

  /** Writes a word of an entry. */
  word(device: number, pasid: number, word: number, [low = 0, high = 0]: readonly number[]): void {
    const pa = (TABLES[device] as number) + 64 * pasid + 8 * word;
    this.memory.set(pa, low, high);
    this.vtd.memoryWritten(pa);
  }

  /** Sets an entry up as software should: word 0 last. */
  setUp(device: number, pasid: number, values: FieldValues<typeof PASID_ENTRY>): void {
    const lanes = encode(PASID_ENTRY, values);
    for (const word of [1, 2, 0]) this.word(device, pasid, word, lanes.slice(2 * word, 2 * word + 2));
  }

  /** Clears P, and no more. */
  clearPresent(device: number, pasid: number): void {
    const pa = (TABLES[device] as number) + 64 * pasid;
    this.word(device, pasid, 0, [this.memory.low(pa) & ~1, this.memory.high(pa)]);
  }

  /** A descriptor and its wait. */
  sync(lanes: number[]): void {
    this.vtd.submit(lanes);
    this.vtd.completed(this.vtd.submit(descriptors.wait()));
  }
}
