import { describe, expect, it } from 'vitest';
import { COMMAND_CFGI_STE_RANGE, OPCODE } from '../layout/command.ts';
import { encode } from '../layout/layout.ts';
import { REGISTER } from '../layout/register.ts';
import { STE, STREAM_TABLE_L1 } from '../layout/ste.ts';
import { cfgi, TestWorld } from '../testing/world.ts';

const X = 0x1000;
const ALL = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, Range: 31 });

describe('linear stream tables', () => {
  it('are aligned to their size (§6.3.24)', () => {
    const made = new TestWorld([{ streamId: 3, substream: -1, va: X }]);
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x6_07c0, 0);
    made.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 5);
    made.write(0x6_0000 + 64 * 3, encode(STE, { V: 1, Config: 4 }));
    made.enable();
    expect(made.see()).toEqual(['bypass']);
  });
});

describe('two-level stream tables', () => {
  const L1 = 0x6_0000;
  const L2 = 0x6_1000;

  function twoLevel(streamIds = [1]): TestWorld {
    const made = new TestWorld(streamIds.map((streamId) => ({ streamId, substream: -1, va: X })));
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, L1, 0);
    made.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 8 | (6 << 6) | (1 << 16));
    const bypass = encode(STE, { V: 1, Config: 4 });
    for (const streamId of streamIds) made.write(L2 + 64 * streamId, bypass);
    made.write(L1, encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2 }));
    made.enable();
    return made;
  }

  it('lead to the STE, or to C_BAD_STREAMID', () => {
    const made = twoLevel([1, 65]);
    expect([made.see(0), made.see(1)]).toEqual([['bypass'], ['f2']]);
  });

  it('hold the L1STD until an invalidation with Leaf = 0', () => {
    const made = twoLevel([1, 2]);
    made.write(L1, [0, 0]);
    expect(made.see()).toEqual(['bypass', 'f2']);
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['bypass', 'f2']);
    // The L1STD goes with Leaf = 0 for any stream of its span, but the STE of stream 1 stays cached.
    made.sync(cfgi('CFGI_STE', { StreamID: 2, Leaf: 0 }));
    expect([made.see(0), made.see(1)]).toEqual([['bypass', 'f2'], ['f2']]);
    made.sync(cfgi('CFGI_STE', { StreamID: 1, Leaf: 1 }));
    expect(made.see()).toEqual(['f2']);
  });

  it('lets another stream keep what was read through a doomed L1STD', () => {
    const made = twoLevel([1, 2]);
    made.write(L1, [0, 0]);
    made.issue(cfgi('CFGI_STE', { StreamID: 2, Leaf: 0 }));
    made.write(L2 + 64, encode(STE, { V: 1, Config: 0 }));
    made.write(L2 + 128, encode(STE, { V: 1, Config: 0 }));
    made.sync();
    expect([made.see(0), made.see(1)]).toEqual([['abort', 'bypass', 'f2'], ['f2']]);
  });

  it('lead nowhere while the SMMU is disabled', () => {
    const made = twoLevel([1]);
    made.enable(false);
    made.write(L2 + 64, encode(STE, { V: 1, Config: 0 }));
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, L1 + 0x4000, 0);
    made.write(L2 + 64, encode(STE, { V: 1, Config: 4 }));
    made.enable();
    expect(made.see()).toEqual(['bypass', 'f2']);
  });

  it('abort where the L1STD cannot be fetched', () => {
    const made = twoLevel();
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, 0x100_0000, 0);
    made.sync(ALL);
    expect(made.see()).toEqual(['f3']);
  });

  it('do not exist where they are not implemented', () => {
    const made = new TestWorld([{ streamId: 1, substream: -1, va: X }], { stLevel: false });
    made.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 8 | (6 << 6) | (1 << 16));
    made.enable();
    expect(made.see()).toEqual(['f4']);
  });

  it.each([
    ['to their size', 10, 0x6_0040],
    ['to 64 bytes where they are smaller', 8, 0x6_0000],
    ['to 64 bytes where one descriptor is all there is', 4, 0x6_0000],
  ])('are aligned %s', (_how, log2Size, base) => {
    const made = new TestWorld([{ streamId: 2, substream: -1, va: X }]);
    // 2^(10 - 6) descriptors take 128 bytes.
    made.smmu.writeRegister(REGISTER.STRTAB_BASE, base, 0);
    made.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, log2Size | (6 << 6) | (1 << 16));
    made.write(L1, encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2 }));
    made.write(L2 + 64 * 2, encode(STE, { V: 1, Config: 4 }));
    made.enable();
    expect(made.see()).toEqual(['bypass']);
  });

  it('keep their descriptors apart: one is for the streams of its span and no others', () => {
    const made = twoLevel([63, 64, 127, 128]);
    made.write(L1 + 8, encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2 + 64 * 64 }));
    made.sync(ALL);
    expect([0, 1, 2, 3].map((slot) => made.see(slot))).toEqual([['bypass'], ['bypass'], ['bypass'], ['f2']]);
    made.write(L1, [0, 0]);
    expect([0, 1, 2, 3].map((slot) => made.see(slot))).toEqual([['bypass', 'f2'], ['bypass'], ['bypass'], ['f2']]);
    made.write(L1 + 8, [0, 0]);
    made.write(L1 + 16, encode(STREAM_TABLE_L1, { Span: 7, L2Ptr: L2 + 128 * 64 }));
    expect([0, 1, 2, 3].map((slot) => made.see(slot))).toEqual([
      ['bypass', 'f2'],
      ['bypass', 'f2'],
      ['bypass', 'f2'],
      ['bypass', 'f2'],
    ]);
    made.sync(cfgi('CFGI_STE', { StreamID: 63 }), cfgi('CFGI_STE', { StreamID: 128 }));
    expect([0, 1, 2, 3].map((slot) => made.see(slot))).toEqual([
      ['f2'],
      ['bypass', 'f2'],
      ['bypass', 'f2'],
      ['bypass'],
    ]);
  });

  it('may be split at bit 8 or 10, and at 6 otherwise', () => {
    for (const [split, streamId, l1] of [
      [8, 300, 1],
      [10, 1100, 1],
      [7, 70, 1],
    ] as const) {
      const made = new TestWorld([{ streamId, substream: -1, va: X }]);
      made.smmu.writeRegister(REGISTER.STRTAB_BASE, L1, 0);
      made.smmu.writeRegister(REGISTER.STRTAB_BASE_CFG, 12 | (split << 6) | (1 << 16));
      const effective = split === 7 ? 6 : split;
      made.write(L1 + 8 * l1, encode(STREAM_TABLE_L1, { Span: effective + 1, L2Ptr: 0x7_0000 }));
      made.write(0x7_0000 + 64 * (streamId % 2 ** effective), encode(STE, { V: 1, Config: 4 }));
      made.enable();
      expect(made.see()).toEqual(['bypass']);
    }
  });
});
