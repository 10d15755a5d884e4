import { describe, expect, it } from 'vitest';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import {
  coversConfig,
  coversTlb,
  decodeCommand,
  type Command,
  type ConfigTarget,
  type TlbTarget,
} from './invalidation.ts';
import { COMMAND, COMMAND_CFGI_STE_RANGE, COMMAND_SYNC, COMMAND_TLBI, OPCODE } from '../layout/command.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { ADDRESS_PAGES } from '../universe.ts';
import { cfgi, tlbi } from '../testing/world.ts';

function decode(lanes: number[], features: Partial<SmmuFeatures> = {}): Command {
  return decodeCommand({ ...FULL_FEATURES, ...features }, lanes);
}

const page: TlbTarget = {
  stage: 1,
  vmid: 0,
  asid: 5,
  page: 1,
  pages: 1,
  sourcePage: 1,
  granule: 12,
  level: 3,
  leaf: true,
};
/** A cached level 2 table descriptor: covers 2 MiB, leads to a level 3 table. */
const table: TlbTarget = { ...page, page: 0, pages: 512, sourcePage: 0, level: 2, leaf: false };
const global: TlbTarget = { ...page, asid: -1 };
const ofStageTwo: TlbTarget = { ...page, stage: 2, asid: -1 };

function covers(lanes: number[], target: TlbTarget, features: Partial<SmmuFeatures> = {}): boolean {
  const command = decode(lanes, features);
  return command.kind === 'tlb' && coversTlb(command, target);
}

describe('scope of CMD_TLBI_* (§4.4.2)', () => {
  it('NH_ALL: one VMID, global entries too', () => {
    expect(covers(tlbi('TLBI_NH_ALL'), page)).toBe(true);
    expect(covers(tlbi('TLBI_NH_ALL'), global)).toBe(true);
    expect(covers(tlbi('TLBI_NH_ALL'), table)).toBe(true);
    expect(covers(tlbi('TLBI_NH_ALL', { VMID: 1 }), page)).toBe(false);
  });

  it('NSNH_ALL: every VMID', () => {
    expect(covers(tlbi('TLBI_NSNH_ALL'), { ...page, vmid: 9 })).toBe(true);
    expect(covers(tlbi('TLBI_NSNH_ALL'), global)).toBe(true);
  });

  it('NH_ASID: not global entries', () => {
    expect(covers(tlbi('TLBI_NH_ASID', { ASID: 5 }), page)).toBe(true);
    expect(covers(tlbi('TLBI_NH_ASID', { ASID: 5 }), table)).toBe(true);
    expect(covers(tlbi('TLBI_NH_ASID', { ASID: 5 }), global)).toBe(false);
    expect(covers(tlbi('TLBI_NH_ASID', { ASID: 6 }), page)).toBe(false);
  });

  it('NH_VA: one ASID and global entries', () => {
    const va = (ASID: number, Address: number, Leaf = 0): number[] => tlbi('TLBI_NH_VA', { ASID, Address, Leaf });
    expect(covers(va(5, 0x1000), page)).toBe(true);
    expect(covers(va(5, 0x1000), table)).toBe(true);
    expect(covers(va(6, 0x1000), page)).toBe(false);
    expect(covers(va(6, 0x1000), global)).toBe(true);
    expect(covers(va(6, 0x1000), table)).toBe(false);
    expect(covers(va(5, 0x2000), page)).toBe(false);
    expect(covers(va(5, 0x2000), table)).toBe(true);
    expect(covers(va(5, 0x1000, 1), page)).toBe(true);
    expect(covers(va(5, 0x1000, 1), table)).toBe(false);
  });

  it('NH_VA: any address within a block', () => {
    const block = { ...page, page: 0, pages: 512, level: 2, sourcePage: 0 };
    expect(covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x1f_f000 }), block)).toBe(true);
    expect(covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x20_0000 }), block)).toBe(false);
  });

  it('NH_VA: an entry made from another descriptor of a contiguous run goes with either', () => {
    const fromRun = { ...page, page: 2, sourcePage: 1 };
    expect(covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x1000 }), fromRun)).toBe(true);
    expect(covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x2000 }), fromRun)).toBe(true);
    expect(covers(tlbi('TLBI_NH_VA', { ASID: 5, Address: 0x3000 }), fromRun)).toBe(false);
  });

  it('NH_VAA: every ASID', () => {
    expect(covers(tlbi('TLBI_NH_VAA', { ASID: 9, Address: 0x1000 }), page)).toBe(true);
    expect(covers(tlbi('TLBI_NH_VAA', { Address: 0x1000 }), global)).toBe(true);
    expect(covers(tlbi('TLBI_NH_VAA', { VMID: 3, Address: 0x1000 }), page)).toBe(false);
  });

  it('S12_VMALL: both stages of one VMID', () => {
    expect(covers(tlbi('TLBI_S12_VMALL'), page)).toBe(true);
    expect(covers(tlbi('TLBI_S12_VMALL'), ofStageTwo)).toBe(true);
    expect(covers(tlbi('TLBI_S12_VMALL', { VMID: 1 }), ofStageTwo)).toBe(false);
  });

  it('S2_IPA: stage 2 alone, by VMID and address', () => {
    const command = (values: FieldValues<typeof COMMAND_TLBI>): number[] => tlbi('TLBI_S2_IPA', values);
    expect(covers(command({ Address: 0x1000 }), page)).toBe(false);
    expect(covers(command({ Address: 0x1000 }), ofStageTwo)).toBe(true);
    expect(covers(command({ Address: 0x1000, ASID: 9 }), ofStageTwo)).toBe(true);
    expect(covers(command({ Address: 0x2000 }), ofStageTwo)).toBe(false);
    expect(covers(command({ Address: 0x1000, VMID: 1 }), ofStageTwo)).toBe(false);
    const tableOfStageTwo = { ...table, asid: -1, stage: 2 } as const;
    expect(covers(command({ Address: 0x1000 }), tableOfStageTwo)).toBe(true);
    expect(covers(command({ Address: 0x1000, Leaf: 1 }), tableOfStageTwo)).toBe(false);
    expect(covers(command({ Address: 0, TG: 1, Num: 1 }), ofStageTwo)).toBe(true);
    expect(covers(command({ Address: 0, TG: 1, Num: 1 }), { ...ofStageTwo, granule: 14 })).toBe(false);
    expect(covers(command({ Address: 0, TG: 1, Num: 1, TTL: 2 }), ofStageTwo)).toBe(false);
    expect(covers(command({ Address: 0x1000, TG: 1, TTL: 3 }), ofStageTwo)).toBe(true);
  });

  it.each(['TLBI_NH_ALL', 'TLBI_NH_ASID', 'TLBI_NH_VA', 'TLBI_NH_VAA'] as const)('%s: no entry of stage 2', (name) => {
    expect(covers(tlbi(name, { ASID: 5, Address: 0x1000 }), page)).toBe(true);
    expect(covers(tlbi(name, { ASID: 5, Address: 0x1000 }), { ...ofStageTwo, asid: 5 })).toBe(false);
    expect(decode(tlbi(name), { stage1: false })).toEqual({ kind: 'illegal' });
  });

  it('NSNH_ALL: both stages of all VMIDs', () => {
    expect(covers(tlbi('TLBI_NSNH_ALL'), { ...ofStageTwo, vmid: 7 })).toBe(true);
    expect(decode(tlbi('TLBI_NSNH_ALL'), { stage1: false }).kind).toBe('tlb');
    expect(decode(tlbi('TLBI_S2_IPA'), { stage2: false })).toEqual({ kind: 'illegal' });
    expect(decode(tlbi('TLBI_S12_VMALL'), { stage2: false })).toEqual({ kind: 'illegal' });
  });

  it('takes no effect for tags out of range', () => {
    expect(decode(tlbi('TLBI_NH_ASID', { ASID: 0x100 }), { asid16: false })).toEqual({ kind: 'none' });
    expect(decode(tlbi('TLBI_NH_ALL', { VMID: 0x100 }), { vmid16: false })).toEqual({ kind: 'none' });
    expect(decode(tlbi('TLBI_NH_ALL', { VMID: 1 }), { stage2: false })).toEqual({ kind: 'none' });
    expect(decode(tlbi('TLBI_NH_VA', { VMID: 1 }), { stage2: false })).toEqual({ kind: 'none' });
    expect(decode(tlbi('TLBI_NH_VA', { VMID: 1, TG: 1, TTL: 3 }), { stage2: false })).toEqual({ kind: 'none' });
    expect(covers(tlbi('TLBI_NH_ALL'), page, { stage2: false })).toBe(true);
  });

  it.each([
    ['the largest ASID of 8 bits', tlbi('TLBI_NH_ASID', { ASID: 0xff }), { asid16: false }],
    ['a larger one of 16', tlbi('TLBI_NH_ASID', { ASID: 0x100 }), {}],
    ['the largest VMID of 8 bits', tlbi('TLBI_NH_ALL', { VMID: 0xff }), { vmid16: false }],
    ['a larger one of 16', tlbi('TLBI_NH_ALL', { VMID: 0x100 }), {}],
  ] as [string, number[], Partial<SmmuFeatures>][])('takes effect for %s', (_which, lanes, features) => {
    expect(decode(lanes, features).kind).toBe('tlb');
  });
});

describe('ranges and level hints (§4.4.1.1)', () => {
  const range = (values: Record<string, number>): number[] => tlbi('TLBI_NH_VA', { ASID: 5, ...values });

  it('cover (NUM + 1) * 2^SCALE granules', () => {
    const command = range({ TG: 1, Num: 2, Scale: 1, Address: 0x1_0000 });
    expect(decode(command)).toMatchObject({ page: 16, pages: 6, granule: 12, level: 0 });
    expect(covers(command, { ...page, page: 21, sourcePage: 21 })).toBe(true);
    expect(covers(command, { ...page, page: 22, sourcePage: 22 })).toBe(false);
    expect(covers(command, { ...page, page: 15, sourcePage: 15 })).toBe(false);
    expect(decode(range({ TG: 3, Num: 1, Address: 0x10_0000 }))).toMatchObject({ pages: 32, granule: 16 });
    expect(decode(range({ TG: 2, Num: 31, Scale: 31, Address: 0 }))).toMatchObject({ pages: 32 * 2 ** 31 * 4 });
    expect(decode(range({ TG: 1, Num: 0, Scale: 33, Address: 0 }))).toMatchObject({ pages: 2 });
  });

  it('cover only entries of the granule named', () => {
    expect(covers(range({ TG: 1, Num: 1, Address: 0 }), page)).toBe(true);
    expect(covers(range({ TG: 2, Num: 1, Address: 0 }), page)).toBe(false);
  });

  it('cover only leaves of the level named, and tables above it', () => {
    expect(covers(range({ TG: 1, TTL: 3, Address: 0x1000 }), page)).toBe(true);
    expect(covers(range({ TG: 1, TTL: 3, Address: 0x1000 }), table)).toBe(true);
    expect(covers(range({ TG: 1, TTL: 2, Address: 0 }), page)).toBe(false);
    expect(covers(range({ TG: 1, Num: 31, Address: 0 }), page)).toBe(true);
    expect(covers(range({ TG: 1, TTL: 2, Num: 31, Address: 0 }), page)).toBe(false);
    expect(covers(range({ TG: 1, TTL: 2, Num: 31, Address: 0 }), table)).toBe(false);
    expect(covers(range({ TG: 1, TTL: 2, Address: 0 }), { ...table, level: 1 })).toBe(true);
    expect(covers(range({ TG: 1, TTL: 2, Address: 0 }), { ...page, page: 0, pages: 512, level: 2 })).toBe(true);
  });

  it('need not affect anything if the start is misaligned', () => {
    expect(decode(range({ TG: 1, TTL: 2, Address: 0x1000 }))).toEqual({ kind: 'none' });
    expect(decode(range({ TG: 1, TTL: 1, Address: 0x20_0000 }))).toEqual({ kind: 'none' });
    expect(decode(range({ TG: 2, TTL: 3, Address: 0x1000 }))).toEqual({ kind: 'none' });
    expect(decode(range({ TG: 3, TTL: 0, Num: 1, Address: 0x1000 }))).toEqual({ kind: 'none' });
    expect(decode(range({ TG: 3, TTL: 2, Address: 0x2000_0000 })).kind).toBe('tlb');
  });

  it('are illegal if they say nothing', () => {
    expect(decode(range({ TG: 1, Address: 0x1000 }))).toEqual({ kind: 'illegal' });
    // TTL 1 is no hint for 16 KiB tables.
    expect(decode(range({ TG: 2, TTL: 1, Address: 0 }))).toEqual({ kind: 'illegal' });
    expect(decode(range({ TG: 2, TTL: 1, Num: 1, Address: 0 }))).toMatchObject({ level: 0 });
  });

  it('do not exist without RIL: one address is meant', () => {
    expect(decode(range({ TG: 1, Num: 5, Address: 0x1000 }), { ril: false })).toMatchObject({ pages: 1, granule: 0 });
  });

  it('do not reach beyond the address space', () => {
    const top = (ADDRESS_PAGES - 1) * 4096;
    expect(covers(range({ TG: 1, Num: 31, Scale: 31, Address: top }), { ...page, page: 0, sourcePage: 0 })).toBe(false);
    const last = { ...page, page: ADDRESS_PAGES - 1, sourcePage: ADDRESS_PAGES - 1 };
    expect(covers(range({ TG: 1, Num: 31, Scale: 31, Address: top }), last)).toBe(true);
  });
});

describe('scope of CMD_CFGI_* (§4.3)', () => {
  const ste: ConfigTarget = { kind: 'STE', streamId: 9, streams: 1, substream: 0, substreams: 1 };
  const l1std: ConfigTarget = { kind: 'L1STD', streamId: 0, streams: 64, substream: 0, substreams: 1 };
  const cd: ConfigTarget = { kind: 'CD', streamId: 9, streams: 1, substream: 3, substreams: 1 };
  const l1cd: ConfigTarget = { kind: 'L1CD', streamId: 9, streams: 1, substream: 0, substreams: 64 };
  const all = [ste, l1std, cd, l1cd];

  function covered(lanes: number[], targets = all): string[] {
    const command = decode(lanes);
    return targets
      .filter((target) => command.kind === 'config' && coversConfig(command, target))
      .map(({ kind }) => kind);
  }

  it('CFGI_STE: the STE and everything below; the L1STD only with Leaf = 0', () => {
    expect(covered(cfgi('CFGI_STE', { StreamID: 9, Leaf: 1 }))).toEqual(['STE', 'CD', 'L1CD']);
    expect(covered(cfgi('CFGI_STE', { StreamID: 9 }))).toEqual(['STE', 'L1STD', 'CD', 'L1CD']);
    expect(covered(cfgi('CFGI_STE', { StreamID: 8, Leaf: 1 }))).toEqual([]);
    expect(covered(cfgi('CFGI_STE', { StreamID: 8 }))).toEqual(['L1STD']);
    expect(covered(cfgi('CFGI_STE', { StreamID: 64 }))).toEqual([]);
  });

  it('CFGI_CD: one index of one stream; the L1CD only with Leaf = 0', () => {
    const of = (SubstreamID: number, Leaf: number, StreamID = 9): number[] =>
      cfgi('CFGI_CD', { StreamID, SubstreamID, Leaf });
    expect(covered(of(3, 1))).toEqual(['CD']);
    expect(covered(of(3, 0))).toEqual(['CD', 'L1CD']);
    expect(covered(of(5, 0))).toEqual(['L1CD']);
    expect(covered(of(2, 1))).toEqual([]);
    expect(covered(of(2, 0), [{ ...l1cd, substream: 64 }])).toEqual([]);
    expect(covered(of(64, 0))).toEqual([]);
    expect(covered(of(3, 0, 8))).toEqual([]);
  });

  it('CFGI_CD_ALL: all CDs and L1CDs of one stream', () => {
    expect(covered(cfgi('CFGI_CD_ALL', { StreamID: 9 }))).toEqual(['CD', 'L1CD']);
  });

  it('CFGI_CD, CFGI_CD_ALL are illegal without stage 1', () => {
    for (const name of ['CFGI_CD', 'CFGI_CD_ALL'] as const)
      expect(decode(cfgi(name, { StreamID: 1 }), { stage1: false })).toEqual({ kind: 'illegal' });
    expect(decode(cfgi('CFGI_STE', { StreamID: 1 }), { stage1: false }).kind).toBe('config');
  });

  it('CFGI_STE_RANGE: an aligned range; 31 is everything', () => {
    const range = (StreamID: number, Range: number): number[] =>
      encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, StreamID, Range });
    expect(covered(range(10, 0), [ste])).toEqual([]);
    expect(covered(range(8, 0), [ste])).toEqual(['STE']);
    expect(covered(range(11, 1))).toEqual(['STE', 'L1STD', 'CD', 'L1CD']);
    expect(covered(range(0xffff_ffff, 31))).toHaveLength(4);
  });

  it('names all CDs of its streams, but for CFGI_CD', () => {
    const every = { kind: 'config', streamId: 9, streams: 1, substream: -1 };
    expect(decode(cfgi('CFGI_STE', { StreamID: 9 }))).toEqual({ ...every, ste: true, intermediate: true });
    expect(decode(cfgi('CFGI_CD_ALL', { StreamID: 9 }))).toEqual({ ...every, ste: false, intermediate: true });
    const some = encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, StreamID: 9, Range: 1 });
    expect(decode(some)).toEqual({ ...every, streamId: 8, streams: 4, ste: true, intermediate: true });
  });

  it('takes no effect for IDs out of range', () => {
    expect(decode(cfgi('CFGI_STE', { StreamID: 1 << 16 }))).toEqual({ kind: 'none' });
    expect(decode(cfgi('CFGI_CD', { StreamID: 1, SubstreamID: 1 << 10 }))).toEqual({ kind: 'none' });
  });
});

describe('what stops the queue', () => {
  it.each([
    ['an unknown opcode', [0x99, 0, 0, 0], {}],
    ['opcode 0', [0, 0, 0, 0], {}],
    ['SSec from the Non-secure queue', encode(COMMAND, { Opcode: OPCODE.CFGI_STE, SSec: 1 }), {}],
    ['CMD_SYNC with CS 3', encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC, CS: 3 }), {}],
    ['stage 2 without stage 2', tlbi('TLBI_S12_VMALL'), { stage2: false }],
    ['S2_IPA without stage 2', tlbi('TLBI_S2_IPA'), { stage2: false }],
    ['EL2', tlbi('TLBI_EL2_ALL'), {}],
    ['ATC_INV without ATS', tlbi('ATC_INV'), {}],
    ['RESUME without stalls', tlbi('RESUME'), { stallModel: 1 }],
  ] as [string, number[], Partial<SmmuFeatures>][])('%s', (_why, lanes, features) => {
    expect(decode(lanes, features)).toEqual({ kind: 'illegal' });
  });

  it.each(['PREFETCH_CONFIG', 'PREFETCH_ADDR', 'RESUME', 'STALL_TERM'] as const)('not %s', (name) => {
    expect(decode(tlbi(name))).toEqual({ kind: 'none' });
    const withoutStalls = name.startsWith('PREFETCH') ? 'none' : 'illegal';
    expect(decode(tlbi(name), { stallModel: 1 })).toEqual({ kind: withoutStalls });
  });
});
