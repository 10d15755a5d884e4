import { describe, expect, it } from 'vitest';
import { CD_TABLE_L1 } from '../layout/cd.ts';
import { COMMAND_CFGI_STE_RANGE, OPCODE } from '../layout/command.ts';
import type { SmmuFeatures } from '../layout/features.ts';
import { encode } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { STE, STREAM_TABLE_L1 } from '../layout/ste.ts';
import { AT, cdLanes, cfgi, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const L1 = 0x6_0000;
const ALL = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: 31 });

function made(substreams: readonly number[], features: Partial<SmmuFeatures> = {}): { world: TestWorld; top: number } {
  const world = new TestWorld(
    substreams.map((substream) => ({ streamId: 1, substream, va: X })),
    features,
  );
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, 0x40_0000);
  return { world, top };
}

const cdAt = (index: number, streamId = 1): number => AT.cds + 0x1000 * streamId + 64 * index;

describe('the CDs that may be fetched', () => {
  it('are those that accesses of their stream select', () => {
    const world = new TestWorld([
      { streamId: 1, substream: 3, va: X },
      { streamId: 2, substream: -1, va: X },
    ]);
    for (const streamId of [1, 2]) world.ste(streamId, { S1CDMax: 2, S1DSS: 2 });
    world.enable();
    const held = [1, 2].map((streamId) =>
      [0, 1, 2, 3].filter((index) => world.smmu.tableHeld(cdAt(index, streamId), 64) !== undefined),
    );
    expect(held).toEqual([[3], [0]]);
  });

  it.each([
    ['the last', 7, true],
    ['the one after it', 8, false],
    ['one far beyond', 70, false],
  ])('are within S1CDMax: %s', (_which, index, fetched) => {
    const { world } = made([index]);
    world.ste(1, { S1CDMax: 3 });
    world.enable();
    expect(world.smmu.tableHeld(cdAt(index), 64) !== undefined).toBe(fetched);
    expect(world.see()).toEqual([fetched ? 'fa' : 'f8']);
  });

  it('are none while the SMMU is disabled, although STEs and L1CDs are held', () => {
    for (const twoLevel of [false, true]) {
      const { world, top } = made([1]);
      world.cd(1, { ASID: 5, TTB0: top }, 1);
      world.write(L1, encode(CD_TABLE_L1, { V: 1, L2Ptr: cdAt(0) }));
      world.ste(1, twoLevel ? { S1CDMax: 8, S1Fmt: 1, S1ContextPtr: L1 } : { S1CDMax: 2 });
      world.enable();
      expect(world.smmu.tableHeld(cdAt(1), 64)?.kind).toBe('CD');
      world.enable(false);
      expect(world.smmu.tableHeld(cdAt(1), 64)).toBeUndefined();
      expect(world.smmu.tableHeld(L1, 8)).toBeUndefined();
      world.cd(1, { ASID: 6, TTB0: top }, 1);
      world.sync(ALL);
      world.enable();
      expect(world.smmu.asidInUse(6)?.kind).toBe('configuration');
    }
  });

  it('lie in the table of the L1CD of their index', () => {
    const { world, top } = made([1, 65, 70, 127, 128]);
    const tables = [0x7_0000, 0x7_2000];
    for (const [at, L2Ptr] of tables.entries()) world.write(L1 + 8 * at, encode(CD_TABLE_L1, { V: 1, L2Ptr }));
    for (const index of [1, 6, 63]) world.write(0x7_2000 + 64 * index, cdLanes({ ASID: 100 + index, TTB0: top }));
    world.ste(1, { S1CDMax: 7, S1Fmt: 1, S1ContextPtr: L1 });
    world.enable();
    expect([0, 1, 2, 3, 4].map((slot) => world.see(slot))).toEqual([
      ['fa'],
      ['→400000'],
      ['→400000'],
      ['→400000'],
      ['f8'],
    ]);
    expect([101, 106, 163].map((asid) => world.smmu.asidInUse(asid)?.kind)).toEqual(
      [101, 106, 163].map(() => 'configuration'),
    );
    expect(world.smmu.tableHeld(0x7_2000 + 64 * 6, 64)?.text).toContain('index 70');
  });

  it.each([
    ['the last table within the output size', 2 ** 44 - 0x1000, 'f9'],
    ['the first beyond it', 2 ** 44, 'f8'],
  ])('%s', (_which, L2Ptr, seen) => {
    const { world } = made([1], { oas: 44 });
    world.write(L1, encode(CD_TABLE_L1, { V: 1, L2Ptr }));
    world.ste(1, { S1CDMax: 7, S1Fmt: 1, S1ContextPtr: L1 });
    world.enable();
    expect(world.see()).toEqual([seen]);
    expect(world.smmu.tableHeld(L2Ptr + 64, 64) !== undefined).toBe(seen === 'f9');
  });

  it('are reached through what is held of an STE, linear or not', () => {
    const { world, top } = made([1]);
    world.cd(1, { ASID: 5, TTB0: top }, 1);
    world.write(L1, encode(CD_TABLE_L1, { V: 1, L2Ptr: cdAt(0) }));
    world.ste(1, { S1CDMax: 2 });
    world.enable();
    expect([world.see(), world.smmu.tableHeld(L1, 8)]).toEqual([['→400000'], undefined]);
    world.ste(1, { S1CDMax: 8, S1Fmt: 1, S1ContextPtr: L1 });
    world.sync(ALL);
    world.write(L1, [0, 0]);
    // An L1CD says where CDs are; the STE of now has no use for a linear table.
    world.sync(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1 }));
    expect(world.see()).toEqual(['f8']);
  });
});

describe('what is read through a structure that is doomed', () => {
  const L2 = 0x6_1000;
  const ste = (streamId: number, Config: number): [number, number[]] => [
    L2 + 64 * streamId,
    encode(STE, { V: 1, Config }),
  ];

  it('goes with it only if the command covers both', () => {
    const world = new TestWorld([1, 2].map((streamId) => ({ streamId, substream: -1, va: X })));
    world.smmu.writeRegister(REGISTER.STRTAB_BASE, L1, 0);
    world.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 8 | (6 << 6) | (1 << 16));
    for (const streamId of [1, 2]) world.write(...ste(streamId, 4));
    world.write(L1, encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2 }));
    world.enable();
    world.write(L1, [0, 0]);
    // The first means the L1STD and the STE of stream 2, the second the STE of stream 1 alone.
    world.issue(cfgi('CFGI_STE', { StreamID: 2, Leaf: 0 }));
    world.issue(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    world.write(...ste(1, 0));
    world.write(...ste(2, 0));
    world.sync();
    expect(world.see(0)).toContain('abort');
    expect(world.see(1)).toEqual(['f2']);
  });

  it.each([
    ['the one that is doomed was found first', [3, 4]],
    ['the one that stays was found first', [4, 3, 4]],
  ])('stays if another way leads there that is not doomed: %s', (_order, vmids) => {
    const { world, top } = made([-1]);
    world.cd(1, { ASID: 5, TTB0: top });
    for (const S2VMID of vmids) {
      world.ste(1, { S2VMID });
      world.enable();
    }
    world.issue(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    world.cd(1, { ASID: 6, TTB0: top });
    world.cd(1, { ASID: 7, TTB0: top });
    world.sync();
    // The STE of now led to the CD of ASID 6, too.
    expect(world.smmu.asidInUse(6, 4)?.kind).toBe('configuration');
    expect(world.smmu.asidInUse(6, 3)?.kind).not.toBe('configuration');
    world.sync(cfgi('CFGI_CD', { StreamID: 1, Leaf: 1 }));
    world.sync(tlbi('TLBI_NSNH_ALL'));
    expect(world.smmu.asidInUse(6)).toBeUndefined();
  });
});
