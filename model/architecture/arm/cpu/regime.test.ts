import { describe, expect, test } from 'vitest';
import { Store } from '../../../../engine/store.ts';
import { BaseRegister } from './base-register.ts';
import { invalidationOf } from './maintenance.ts';
import { SMALLEST, walkStart } from './regime.ts';
import { CpuWorld } from './testing/world.ts';

describe('a stage as Linux sets it up', () => {
  /** What descriptors mean without hardware updates, hierarchical permissions, WXN, PAN and tagged addresses. */
  const none = { affd: false, had: false, wxn: false, pan: false, tbi: false, el2: false };

  test('of stage 1 has none of the options', () => {
    const { interpretation, level } = walkStart(1, SMALLEST, 1);
    const { key, ...controls } = interpretation;
    expect(level).toBe(3);
    expect(controls).toEqual({ granule: 12, inputBits: 16, region: 1, outputBits: 48, ...none, stage2: undefined });
    expect(key).not.toBe(walkStart(1, SMALLEST, 0).interpretation.key);
  });

  test('of stage 2 neither', () => {
    const { key, ...controls } = walkStart(2, SMALLEST).interpretation;
    const stage2 = { xnx: false, fwb: false, ptw: false };
    expect(controls).toEqual({ granule: 12, inputBits: 16, region: 0, outputBits: 48, ...none, stage2 });
    expect(key).not.toBe(walkStart(1, SMALLEST).interpretation.key);
  });
});

test('an invalidation by IPA has no ASID', () => {
  for (const kind of ['IPAS2E1', 'IPAS2LE1'] as const)
    expect(invalidationOf({ kind, vmid: 7, ipa: 0x1000 })).toMatchObject({ vmid: 7, asid: -1, page: 1 });
});

test('the base register of a CPU is its own, and nothing else', () => {
  const store = new Store();
  const [before, register, after] = [
    store.reserve(1, 'before'),
    new BaseRegister(store, 3, ['TTBR0_EL1', 'ASID']),
    store.reserve(1, 'after'),
  ];
  const bases = [0, 1, 2].map((cpu) => ({ table: 0x1000 * (cpu + 1), tag: cpu }));
  for (const [cpu, base] of bases.entries()) register.set(cpu, base);
  expect([0, 1, 2].map((cpu) => register.get(cpu))).toEqual(bases);
  register.set(1, undefined);
  expect([0, 1, 2].map((cpu) => register.get(cpu))).toEqual([bases[0], undefined, bases[2]]);
  expect([store.get(before), store.get(after)]).toEqual([0, 0]);
});

describe('what a CPU has loaded', () => {
  const [VA, UPPER] = [0x1000, 2 ** 64 - 0x1_0000 + 0x1000];
  const [TABLE, PAGE] = [0x2000, 0x80_0000];
  const stageTwo = { granule: 12, inputBits: 16, ipas: [VA] } as const;

  test('under each ASID and in each half is apart, in whatever order it came up', () => {
    const contexts = [0, 1, 2].flatMap((asid) => ([0, 1] as const).map((region) => ({ asid, region })));
    for (const order of [contexts, contexts.toReversed()]) {
      const world = new CpuWorld({ cpus: 3, addresses: [VA, UPPER], common: true });
      world.write(1, TABLE + 8, { kind: 'page', pa: PAGE });
      for (const { asid, region } of order)
        if (region === 0) world.cpus.load(asid, { table: TABLE, asid });
        else world.cpus.loadUpper(asid, { table: TABLE, asid });
      for (const asid of [0, 1, 2]) {
        expect([VA, UPPER].map((va) => world.cpus.outcomes(asid, va))).toEqual([[PAGE], [PAGE]]);
        world.cpus.load(asid, undefined);
        world.cpus.loadUpper(asid, undefined);
        world.cpus.tlbi(0, { kind: 'ASIDE1', asid }, true);
        world.cpus.dsb(0, true);
        expect(world.cpus.asidInUse(asid)).toBeUndefined();
      }
    }
  });

  test.each([[[VA, UPPER]], [[UPPER]]])('in the upper half is no guest: %j', (addresses) => {
    const world = new CpuWorld({ addresses, stageTwo });
    for (const cpu of [0, 1]) world.cpus.loadUpper(cpu, { table: TABLE, asid: 1 });
    expect([0, 1].map((cpu) => world.cpus.loadedGuest(cpu))).toEqual([undefined, undefined]);
    world.cpus.loadGuest(1, { table: 0x3000, vmid: 7 });
    expect(world.cpus.loadedGuest(1)).toStrictEqual({ table: 0x3000, vmid: 7 });
    world.write(1, TABLE + 8, { kind: 'page', pa: PAGE });
    expect([0, 1].map((cpu) => world.cpus.outcomes(cpu, UPPER))).toEqual([[PAGE], [PAGE]]);
  });

  test('is not taken from, nor put into, what lies behind it', () => {
    for (const options of [{ addresses: [VA] }, { stageTwo }]) {
      const world = new CpuWorld(options);
      const behind = world.store.reserve(8, 'behind');
      for (let at = 0; at < 8; at++) world.store.set(behind + at, 5);
      expect(world.cpus.loadedGuest(0)).toBeUndefined();
      if (!('stageTwo' in options)) continue;
      world.cpus.loadGuest(0, { table: 0x3000, vmid: 7 });
      expect(world.cpus.loadedGuest(0)).toStrictEqual({ table: 0x3000, vmid: 7 });
      expect(Array.from({ length: 8 }, (_, at) => world.store.get(behind + at))).toEqual(Array(8).fill(5));
    }
  });
});
