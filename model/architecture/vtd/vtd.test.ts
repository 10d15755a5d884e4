import { describe, expect, test } from 'vitest';
import {
  DESCRIPTOR_TYPE,
  encode,
  IOTLB_GRANULARITY,
  IOTLB_INVALIDATE,
  PASID_CACHE_GRANULARITY,
  PASID_DEVICE_TLB_INVALIDATE,
  PASID_ENTRY,
  PGTT,
} from './layout/index.ts';
import { descriptors, entryOf, UNIVERSE, VtdWorld } from './testing/world.ts';
import { Vtd } from './vtd.ts';

const NOTHING = { pasidCache: 0, iotlb: 0, deviceTlb: 0 };
const SPACE0 = { pasidCache: 1, iotlb: 1, deviceTlb: 1 };
const DEV0 = 8;

function bound(type: number = PGTT.FIRST_STAGE): VtdWorld {
  const world = new VtdWorld();
  world.setUp(0, 1, entryOf(type, 1, 0));
  return world;
}

describe('what is cached of an entry', () => {
  test('nothing before it is present, everything from then on', () => {
    const world = new VtdWorld();
    expect(world.vtd.reach(0, 0)).toEqual(NOTHING);
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 1, 0));
    expect(world.vtd.entry(0, 0)).toBe(0);
    expect(world.vtd.reach(0, 0)).toEqual(SPACE0);
    expect(world.vtd.reach(0, 1)).toEqual(NOTHING);
    expect(world.vtd.reach(1, 0)).toEqual(NOTHING);
  });

  test('all of it stays when P is cleared', () => {
    const world = bound();
    world.clearPresent(0, 1);
    expect(world.vtd.entry(0, 0)).toBe(-1);
    expect(world.vtd.reach(0, 0)).toEqual(SPACE0);
  });

  test('a type that there is not leads nowhere', () => {
    const world = new VtdWorld();
    world.setUp(0, 1, { ...entryOf(PGTT.FIRST_STAGE, 1, 0), PGTT: 5 });
    expect(world.vtd.reach(0, 0)).toEqual(NOTHING);
  });

  test('pass-through leads to all of memory', () => {
    expect(bound(PGTT.PASS_THROUGH).vtd.reach(0, 0)).toEqual({ pasidCache: 4, iotlb: 4, deviceTlb: 4 });
  });

  test('a function without ATS has no device-TLB', () => {
    const world = new VtdWorld({ ...UNIVERSE, devices: UNIVERSE.devices.map((device) => ({ ...device, ats: false })) });
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 1, 0));
    expect(world.vtd.reach(0, 0)).toEqual({ ...SPACE0, deviceTlb: 0 });
  });

  test('a directory entry that is not present leads to no entry', () => {
    const world = new VtdWorld();
    world.memory.set(0x1000, 0, 0);
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 1, 0));
    expect(world.vtd.reach(0, 0)).toEqual(NOTHING);
    world.memory.set(0x1000, 0x3001, 0);
    world.vtd.memoryWritten(0x1000);
    expect(world.vtd.reach(0, 0)).toEqual(SPACE0);
  });

  test('everything is undone with the store', () => {
    const world = new VtdWorld();
    const mark = world.store.mark();
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 1, 0));
    world.vtd.submit(descriptors.pasidCache(1, 1));
    world.store.rollback(mark);
    expect(world.vtd.reach(0, 0)).toEqual(NOTHING);
    expect(world.vtd.submit(descriptors.wait())).toBe(1);
  });
});

describe('torn entries', () => {
  test('an entry that is set up with P last, and cleared when nothing is cached of it, is never torn', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    for (const word of [1, 2, 0]) world.word(0, 1, word, []);
    expect(world.vtd.torn(0, 0)).toBe(false);
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 2, 1));
    expect(world.vtd.torn(0, 0)).toBe(false);
    expect(world.vtd.reach(0, 0).pasidCache).toBe(2);
  });

  test.each([1, 2])('word %i is cleared while a fetch may be under way', (word) => {
    const world = bound();
    world.word(0, 1, word, []);
    expect(world.vtd.torn(0, 0)).toBe(true);
  });

  test('… and still when P was cleared before', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.vtd.submit(descriptors.pasidCache(1, 1));
    world.word(0, 1, 2, []);
    expect(world.vtd.torn(0, 0)).toBe(true);
    world.vtd.completed(world.vtd.submit(descriptors.wait()));
    expect(world.vtd.torn(0, 0)).toBe(false);
  });

  test('an entry with a domain-id that it never had is not covered by an invalidation of the one it had', () => {
    const world = bound();
    world.word(0, 1, 1, []);
    world.word(0, 1, 0, []);
    world.sync(descriptors.pasidCache(1, 1));
    expect(world.vtd.torn(0, 0)).toBe(true);
    world.sync(descriptors.pasidCache(0, 0, PASID_CACHE_GRANULARITY.GLOBAL));
    expect(world.vtd.torn(0, 0)).toBe(false);
  });

  test('one entry copied over another one gives mixes of both', () => {
    const world = bound(PGTT.NESTED);
    world.setUp(0, 1, entryOf(PGTT.NESTED, 2, 1));
    expect(world.vtd.torn(0, 0)).toBe(true);
  });
});

describe('invalidation', () => {
  test('in the order of the specification, each waited for, nothing is left', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    expect(world.vtd.reach(0, 0)).toEqual({ ...SPACE0, pasidCache: 0 });
    world.sync(descriptors.pasidIotlb(1, 1));
    expect(world.vtd.reach(0, 0)).toEqual({ ...NOTHING, deviceTlb: 1 });
    world.sync(descriptors.deviceTlb(DEV0, 1));
    expect(world.vtd.reach(0, 0)).toEqual(NOTHING);
  });

  test('nothing is gone before the wait', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.vtd.submit(descriptors.pasidCache(1, 1));
    expect(world.vtd.reach(0, 0)).toEqual(SPACE0);
  });

  test('one wait for all three leaves what each source has filled meanwhile', () => {
    const world = bound();
    world.clearPresent(0, 1);
    for (const lanes of [descriptors.pasidCache(1, 1), descriptors.pasidIotlb(1, 1)]) world.vtd.submit(lanes);
    world.sync(descriptors.deviceTlb(DEV0, 1));
    expect(world.vtd.reach(0, 0)).toEqual({ ...SPACE0, pasidCache: 0 });
  });

  test('the device-TLB first is filled again from the IOTLB', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(descriptors.deviceTlb(DEV0, 1));
    world.sync(descriptors.pasidIotlb(1, 1));
    expect(world.vtd.reach(0, 0)).toEqual({ ...NOTHING, deviceTlb: 1 });
  });

  test('an entry that is present comes back at once', () => {
    const world = bound();
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(descriptors.pasidIotlb(1, 1));
    world.sync(descriptors.deviceTlb(DEV0, 1));
    expect(world.vtd.reach(0, 0)).toEqual(SPACE0);
  });

  test('a wait is for what was before it', () => {
    const world = bound();
    world.clearPresent(0, 1);
    const early = world.vtd.submit(descriptors.wait());
    world.vtd.submit(descriptors.pasidCache(1, 1));
    const late = world.vtd.submit(descriptors.wait());
    world.vtd.completed(early);
    expect(world.vtd.reach(0, 0).pasidCache).toBe(1);
    world.vtd.completed(late);
    expect(world.vtd.reach(0, 0).pasidCache).toBe(0);
  });

  test.each([
    ['another PASID', descriptors.pasidCache(1, 2)],
    ['another domain-id', descriptors.pasidCache(2, 1)],
    ['a reserved granularity', descriptors.pasidCache(1, 1, 2)],
    ['no type', descriptors.pasidCache(1, 1).map((lane, at) => (at === 0 ? lane & ~15 : lane))],
  ])('the PASID-cache keeps an entry when %s is invalidated', (_what, lanes) => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(lanes);
    expect(world.vtd.reach(0, 0).pasidCache).toBe(1);
  });

  test.each([
    ['by domain-id', descriptors.pasidCache(1, 0, PASID_CACHE_GRANULARITY.DOMAIN)],
    ['globally', descriptors.pasidCache(0, 0, PASID_CACHE_GRANULARITY.GLOBAL)],
  ])('the PASID-cache is invalidated %s', (_how, lanes) => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(lanes);
    expect(world.vtd.reach(0, 0).pasidCache).toBe(0);
  });

  test.each([
    ['first-stage', PGTT.FIRST_STAGE, 'by PASID', descriptors.pasidIotlb(1, 1), 0],
    ['first-stage', PGTT.FIRST_STAGE, 'by domain', descriptors.domain(1), 1],
    ['nested', PGTT.NESTED, 'by PASID', descriptors.pasidIotlb(1, 1), 1],
    ['nested', PGTT.NESTED, 'by domain', descriptors.domain(1), 0],
    ['second-stage', PGTT.SECOND_STAGE, 'by PASID', descriptors.pasidIotlb(1, 1), 1],
    ['second-stage', PGTT.SECOND_STAGE, 'by domain', descriptors.domain(1), 0],
    ['second-stage', PGTT.SECOND_STAGE, 'by another domain', descriptors.domain(2), 1],
  ])('%s translations are invalidated %4$s', (_what, type, _how, lanes, left) => {
    const world = bound(type);
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(lanes);
    expect(world.vtd.reach(0, 0).iotlb).toBe(left);
  });

  test('of one page', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(descriptors.page(1, 1, 1));
    expect(world.vtd.translations(0, 0).iotlb).toBe(0b01);
  });

  test('of the device-TLB of another function, or PASID', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(descriptors.pasidIotlb(1, 1));
    world.sync(descriptors.deviceTlb(16, 1));
    world.sync(descriptors.deviceTlb(DEV0, 2));
    expect(world.vtd.reach(0, 0).deviceTlb).toBe(1);
  });
});

describe('what an invalidation does not cover', () => {
  test('translations of another PASID, or another domain-id', () => {
    const world = new VtdWorld();
    world.setUp(0, 1, entryOf(PGTT.FIRST_STAGE, 1, 0));
    world.setUp(0, 2, entryOf(PGTT.FIRST_STAGE, 2, 1));
    for (const pasid of [1, 2]) world.clearPresent(0, pasid);
    world.sync(descriptors.pasidCache(0, 0, PASID_CACHE_GRANULARITY.GLOBAL));
    world.sync(descriptors.pasidIotlb(1, 2));
    world.sync(descriptors.pasidIotlb(2, 1));
    expect([0, 1].map((pasid) => world.vtd.reach(0, pasid).iotlb)).toEqual([1, 2]);
    world.sync(descriptors.pasidIotlb(2, 2));
    expect([0, 1].map((pasid) => world.vtd.reach(0, pasid).iotlb)).toEqual([1, 0]);
  });

  test.each([
    ['second-stage', PGTT.SECOND_STAGE, 0b10],
    ['nested', PGTT.NESTED, 0b11],
  ])('by a page of a domain: %s translations of others', (_what, type, left) => {
    const world = bound(type);
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(encode(IOTLB_INVALIDATE, { Type: DESCRIPTOR_TYPE.IOTLB, G: IOTLB_GRANULARITY.PAGE, DID: 1 }));
    expect(world.vtd.translations(0, 0).iotlb).toBe(left);
  });

  test.each([PGTT.FIRST_STAGE, PGTT.SECOND_STAGE, PGTT.NESTED])('globally: nothing of type %i', (type) => {
    const world = bound(type);
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.sync(encode(IOTLB_INVALIDATE, { Type: DESCRIPTOR_TYPE.IOTLB, G: IOTLB_GRANULARITY.GLOBAL }));
    expect(world.vtd.translations(0, 0).iotlb).toBe(0);
  });

  test('of the device-TLB, whatever the PASID: that of another function', () => {
    const world = new VtdWorld();
    for (const device of [0, 1])
      for (const pasid of [1, 2]) world.setUp(device, pasid, entryOf(PGTT.FIRST_STAGE, 1, 0));
    for (const device of [0, 1]) for (const pasid of [1, 2]) world.clearPresent(device, pasid);
    world.sync(descriptors.pasidCache(0, 0, PASID_CACHE_GRANULARITY.GLOBAL));
    for (const pasid of [1, 2]) world.sync(descriptors.pasidIotlb(1, pasid));
    const fields = { Type: DESCRIPTOR_TYPE.PASID_DEVICE_TLB, SID: 16, G: 1, S: 1, Address: 2 ** 63 - 2 ** 12 };
    world.sync(encode(PASID_DEVICE_TLB_INVALIDATE, fields));
    const left = [0, 1].map((device) => [0, 1].map((pasid) => world.vtd.reach(device, pasid).deviceTlb));
    expect(left).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });
});

describe('translations that others use', () => {
  test('a function finds those of another one under the same domain-id and PASID', () => {
    const world = bound();
    world.clearPresent(0, 1);
    world.sync(descriptors.pasidCache(1, 1));
    world.setUp(1, 1, entryOf(PGTT.FIRST_STAGE, 1, 1));
    expect(world.vtd.reach(1, 0)).toEqual({ pasidCache: 2, iotlb: 3, deviceTlb: 3 });
  });

  test('not under another PASID, nor another domain-id', () => {
    const world = bound();
    world.setUp(1, 2, entryOf(PGTT.FIRST_STAGE, 1, 1));
    world.setUp(1, 1, entryOf(PGTT.FIRST_STAGE, 2, 1));
    expect(world.vtd.reach(1, 1).iotlb).toBe(2);
    expect(world.vtd.reach(1, 0).iotlb).toBe(2);
  });

  test('those of a second stage under the same domain-id, whatever the PASID', () => {
    const world = bound(PGTT.SECOND_STAGE);
    world.setUp(1, 2, entryOf(PGTT.NESTED, 1, 1));
    expect(world.vtd.reach(1, 1).iotlb).toBe(3);
  });
});

test('a universe that is too large is refused', () => {
  expect(() => new VtdWorld({ ...UNIVERSE, pages: [0, 1, 2, 3, 4, 5] })).toThrow('room');
});

test('descriptors are numbered anew when all are done', () => {
  const { vtd } = bound();
  expect([vtd.submit(descriptors.wait()), vtd.submit(descriptors.wait())]).toEqual([1, 2]);
  vtd.completed(1);
  expect(vtd.submit(descriptors.wait())).toBe(3);
  vtd.completed(3);
  expect(vtd.submit(descriptors.wait())).toBe(1);
});

test("an entry of which no word leads anywhere is nobody's, and torn", () => {
  const world = new VtdWorld();
  world.setUp(0, 1, { ...entryOf(PGTT.FIRST_STAGE, 1, 0), FLPTPTR: 0x20_0000 });
  expect([world.vtd.entry(0, 0), world.vtd.torn(0, 0), world.vtd.torn(0, 1)]).toEqual([-1, true, false]);
});

test('the upper bits of a PASID choose the entry of the directory', () => {
  const world = new VtdWorld({ ...UNIVERSE, pasids: [1, 65] });
  world.memory.set(0x1008, 0x5001, 0);
  world.vtd.memoryWritten(0x1008);
  const lanes = encode(PASID_ENTRY, entryOf(PGTT.FIRST_STAGE, 1, 1));
  for (const word of [1, 2, 0]) {
    world.memory.set(0x5040 + 8 * word, lanes[2 * word] as number, lanes[2 * word + 1] as number);
    world.vtd.memoryWritten(0x5040 + 8 * word);
  }
  expect([world.vtd.entry(0, 0), world.vtd.entry(0, 1)]).toEqual([-1, 1]);
  expect(world.vtd.reach(0, 1).deviceTlb).toBe(2);
});

test('what is in memory before the model is held from the beginning', () => {
  const before = bound();
  const vtd = new Vtd(before.store, before.memory, UNIVERSE);
  expect(vtd.reach(0, 0)).toEqual(SPACE0);
  expect(vtd.reach(0, 1)).toEqual(NOTHING);
});

test('reports say what holds what', () => {
  const world = bound();
  world.word(0, 1, 2, []);
  const told: string[] = [];
  for (let cell = 0; cell < world.store.size; cell++) {
    const { region, offset } = world.store.locate(cell);
    const value = world.store.get(cell);
    if (value !== 0 && region.format !== undefined) told.push(region.format(offset, value));
  }
  expect(told).toEqual([
    'PASID-cache of dev0, PASID 1 {a mix, space 0}',
    'IOTLB of dev0, DID 1, PASID 1 {space 0}',
    'device-TLB of dev0, PASID 1 {space 0}',
  ]);
});
