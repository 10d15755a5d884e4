import { describe, expect, test } from 'vitest';
import { COMMAND_TLBI, encode, OPCODE, patch, STE, STE_CONFIG } from '../../../model/architecture/arm/layout/index.ts';
import { runToCompletion } from '../../../engine/complete.ts';
import type { Task } from '../../../engine/step.ts';
import { formatInvs, INV_TYPE, mergeInvs, unrefInvs, type Inv } from './invs.ts';
import { virtualSte } from './ste.ts';
import { NestedTestWorld } from './testing.ts';

const PAGE = 0x1000;
const IPA = 0x4000_1000;

function nestedWorld(ats = [false, false]): NestedTestWorld {
  const world = new NestedTestWorld({ ats });
  world.run(world.host.vdeviceAlloc(0));
  expect(world.run(world.guest.stream(0, 'stage 1'))).toBe(true);
  world.take();
  return world;
}

function invsOf(world: NestedTestWorld, place: number): string {
  const { kernel } = world;
  return formatInvs(kernel.invs.at(kernel.paging.at(place + 1).invs.value));
}

describe('invalidation set', () => {
  const asid: Inv = { type: INV_TYPE.S1_ASID, id: 3, ssid: 0 };
  const ats: Inv = { type: INV_TYPE.ATS, id: 0x10, ssid: 0 };

  test('is sorted, counts users, and says what nobody uses any more', () => {
    const set = mergeInvs(mergeInvs([], [ats, asid]), [asid]);
    expect(formatInvs(set)).toBe('{S1_ASID(3)×2, ATS(0x10)}');
    const { left, unused } = unrefInvs(set, [asid, ats]);
    expect(formatInvs(left)).toBe('{S1_ASID(3)}');
    expect(unused).toMatchObject([{ type: INV_TYPE.ATS, id: 0x10 }]);
  });
});

describe('a tag that leaves a set for good', () => {
  test.each([
    [INV_TYPE.S1_ASID, /^TLBI_NH_ASID/],
    [INV_TYPE.S2_VMID, /^TLBI_S12_VMALL/],
    [INV_TYPE.S2_VMID_S1_CLEAR, /^TLBI_NH_ALL/],
  ])('%o is flushed', (type, command) => {
    const world = new NestedTestWorld();
    world.take();
    runToCompletion(world.kernel.invalidation.arm_smmu_inv_flush_iotlb_tag({ type, id: 3, ssid: 0 }));
    expect(world.take()).toEqual([expect.stringMatching(command), 'SYNC', 'complete']);
  });
});

describe('attach', () => {
  test('to stage 2 writes its VMID, tables and concatenated start level', () => {
    const world = new NestedTestWorld();
    expect(world.run(world.host.attach(1, 0))).toBe(true);
    const { parent, stage2 } = world.kernel;
    expect(stage2.startLevel).toBe(2);
    expect(stage2.concatenated).toBe(2);
    expect(parent.pgd.value % 0x2000).toBe(0);
    expect(world.ste(0)).toMatchObject({ Config: STE_CONFIG.STAGE2, S2VMID: 1, S2T0SZ: 33, S2SL0: 0, S2AA64: 1 });
    expect(world.ste(0).S2TTB).toBe(parent.pgd.value);
    expect(invsOf(world, 1)).toBe('{S2_VMID(1), S2_VMID_S1_CLEAR(1)}');
    world.run(world.host.attach(2, 0));
    expect(invsOf(world, 2)).toBe('{S2_VMID(2)}');
  });

  test('nested has the stage 1 of the guest above the stage 2 of the parent, and what hears of it', () => {
    const world = nestedWorld();
    const { guest, devices } = world.kernel;
    expect(world.ste(0)).toMatchObject({ Config: STE_CONFIG.NESTED, S2VMID: 1, EATS: 0 });
    expect(world.ste(0).S1ContextPtr).toBe(guest.contextDescriptor(devices[0] as never));
    expect(invsOf(world, 1)).toBe('{S2_VMID(1), S2_VMID_S1_CLEAR(1)}');
    expect(world.run(world.host.attachStatic('blocked', 0))).toBe(true);
    expect(world.take().filter((line) => line.startsWith('TLBI'))).toEqual([
      'TLBI_S12_VMALL 1.0 0x0',
      'TLBI_NH_ALL 1.0 0x0',
    ]);
    expect(invsOf(world, 1)).toBe('{}');
  });

  test('nested is refused while the guest has no name for the device', () => {
    const world = new NestedTestWorld();
    expect(world.run(world.guest.stream(0, 'stage 1'))).toBe(false);
    expect(world.ste(0).Config).toBe(STE_CONFIG.ABORT);
    expect(world.kernel.nested.live()).toEqual([]);
  });

  test('a guest that bypasses or aborts has stage 2 alone, or nothing', () => {
    const world = nestedWorld();
    world.run(world.guest.stream(0, 'bypass'));
    expect(world.ste(0)).toMatchObject({ Config: STE_CONFIG.STAGE2, S2VMID: 1 });
    world.run(world.guest.stream(0, 'abort'));
    expect(world.ste(0).Config).toBe(STE_CONFIG.ABORT);
    expect(world.kernel.nested.live()).toHaveLength(1);
  });

  test('ATS goes on behind the stream table entry and an empty cache, off before it', () => {
    const world = new NestedTestWorld({ ats: [true, false] });
    world.run(world.host.attach(0, 0));
    expect(world.ste(0).EATS).toBe(1);
    expect(invsOf(world, 0)).toBe('{S1_ASID(1), ATS(0x10)}');
    expect(world.take().slice(-6)).toEqual(
      ['CFGI_STE 0x10', 'SYNC', 'complete', 'ATC_INV 0x10 0x0 size 52', 'SYNC', 'complete', 'ATS of 0x10 on'].slice(-6),
    );
    world.run(world.host.attach(2, 0));
    expect(world.take().filter((line) => line.startsWith('ATS'))).toEqual([]);
    world.run(world.host.attachStatic('blocked', 0));
    expect(world.take()[0]).toBe('ATS of 0x10 off');
  });
});

describe('unmap at stage 2', () => {
  test('by IPA, then everything nested, then every device cache, each behind a CMD_SYNC', () => {
    const world = nestedWorld([true, true]);
    world.run(world.host.vdeviceAlloc(1));
    world.run(world.guest.stream(1, 'stage 1'));
    world.run(world.host.map(1, IPA, PAGE, 0x5000_0000));
    world.take();
    expect(world.run(world.host.unmap(1, IPA, PAGE))).toBe(true);
    expect(world.take()).toEqual([
      'TLBI_S2_IPA 1.0 0x40001000 leaf',
      'SYNC',
      'complete',
      'TLBI_NH_ALL 1.0 0x0',
      'SYNC',
      'complete',
      'ATC_INV 0x10 0x0 size 52',
      'ATC_INV 0x18 0x0 size 52',
      'SYNC',
      'complete',
    ]);
  });

  test('a range of a device cache is the smallest aligned span around it', () => {
    const { ats } = new NestedTestWorld().kernel;
    expect(ats.rangeCommand(0x10, 0, 0x1000, 0x2000).label).toBe('CMD_ATC_INV dev0, 0x0, 4 pages');
    expect(ats.rangeCommand(0x10, 0, 0x2000, 0x2000).label).toBe('CMD_ATC_INV dev0, 0x2000, 2 pages');
  });
});

describe('viommu', () => {
  function convert(world: NestedTestWorld, fields: Parameters<typeof encode<'Opcode' | 'VMID' | 'ASID'>>[1]): number {
    let taken = -1;
    const lanes = encode(COMMAND_TLBI, fields);
    runToCompletion(
      (function* (): Task {
        taken = yield* world.kernel.viommu.cache_invalidate([{ label: 'CMD_X', lanes }]);
      })(),
    );
    return taken;
  }

  test('gives TLB invalidations of a guest its VMID, and refuses what is not its to say', () => {
    const world = nestedWorld();
    expect(convert(world, { Opcode: OPCODE.TLBI_NH_ASID, VMID: 9, ASID: 4 })).toBe(1);
    expect(convert(world, { Opcode: OPCODE.TLBI_NSNH_ALL })).toBe(1);
    expect(world.take().filter((line) => line.startsWith('TLBI'))).toEqual([
      'TLBI_NH_ASID 1.4 0x0',
      'TLBI_NH_ALL 1.0 0x0',
    ]);
    for (const opcode of [
      OPCODE.TLBI_S12_VMALL,
      OPCODE.TLBI_EL2_ALL,
      OPCODE.CFGI_STE,
      OPCODE.CFGI_STE_RANGE,
      OPCODE.SYNC,
    ])
      expect(convert(world, { Opcode: opcode })).toBe(0);
    expect(world.take()).toEqual([]);
  });

  test('a guest changes its context descriptor and hears of its own name only', () => {
    const world = nestedWorld([true, false]);
    expect(world.run(world.guest.context(0, 1))).toBe(true);
    const commands = world.take().filter((line) => /CFGI|ATC/.test(line));
    expect(commands).toEqual(['CFGI_CD 0x10', 'CFGI_CD 0x10', 'CFGI_CD 0x10', 'ATC_INV 0x10 0x0 size 52']);
  });

  test.each([{ STRW: 2 }, { SHCFG: 1 }, { S2FWB: 1 }, { MEV: 1 }, { Config: STE_CONFIG.NESTED }, { EATS: 2 }])(
    'a guest may not say %j',
    (fields) => {
      const { entries } = new NestedTestWorld().kernel;
      const vste = virtualSte('stage 1', 0x20_0000, false);
      expect(entries.arm_smmu_validate_vste(vste)).toBe('stage 1');
      const spoiled = patch(STE, [...vste, ...Array.from({ length: 12 }, () => 0)], fields);
      const [a = 0, b = 0, c = 0, d = 0] = spoiled;
      expect(entries.arm_smmu_validate_vste([a, b, c, d])).toBeUndefined();
    },
  );
});

test('a VMID goes back when its domain does, and comes again', () => {
  const world = new NestedTestWorld();
  expect(world.run(world.host.domainFree(2))).toBe(true);
  expect(world.events.map(({ type }) => type)).toContain('tag.free');
  expect(world.run(world.host.domainAlloc(2))).toBe(true);
  expect(world.kernel.paging.at(4).vmid.value).toBe(2);
  expect(world.run(world.host.domainFree(1))).toBe(false);
});

test('guest tables are in guest memory and hold IPAs', () => {
  const world = nestedWorld();
  expect(world.run(world.guest.map(0, 0x1000, IPA))).toBe(true);
  const { guest, memory } = world.kernel;
  const pgd = guest.space(0).pgd.value;
  expect(memory.low(guest.paOf(pgd)) & ~3).toBe(0x20_3000);
  expect(memory.low(guest.paOf(0x20_3008)) >>> 12).toBe(IPA >>> 12);
  expect(world.run(world.guest.unmap(0, 0, 0x20_0000))).toBe(true);
  expect(memory.low(guest.paOf(pgd))).toBe(0);
});
