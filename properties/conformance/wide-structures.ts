/** The structures and commands of the wide check: random, over fixed places. */
import type { Random } from '../../engine/random.ts';
import {
  CD,
  CD_TABLE_L1,
  COMMAND_ATC_INV,
  COMMAND_CFGI,
  COMMAND_TLBI,
  encode,
  OPCODE,
  STE,
} from '../../model/architecture/arm/layout/index.ts';
import { percent, pick, weighted } from './choices.ts';

export const streams = [1, 2] as const;
export const substreams = [-1, 0, 1, 65] as const;
/** Indices of the CDs that there are. */
export const cdIndices = [0, 1, 65] as const;
export const pages = [0x1000, 0x2000, 0x20_1000] as const;

/** Where things are. */
export const place = {
  streamTable: 0x1_0000,
  commands: 0x3_0000,
  events: 0x4_0000,
  cds: 0x10_0000,
  tables: 0x20_0000,
  stage2: 0x30_0000,
} as const;

/** A structure: its address and its lanes. */
export type Structure = readonly [pa: number, lanes: readonly number[]];

const flag = (random: Random, probability: number): 0 | 1 => (percent(random, probability) ? 1 : 0);

/** An STE of any kind. */
export const steOf = (random: Random, streamId: number): Structure => {
  const Config = weighted(random, [
    [1, 0],
    [1, 4],
    [4, 5],
    [2, 6],
    [5, 7],
  ] as const);
  const twoLevel = percent(random, 40);
  // STEs with one VMID must agree about stage 2 (IHI 0070 §5.2.1).
  const vm = percent(random, 75) ? streamId % 2 : random.below(2);
  const lanes = encode(STE, {
    V: flag(random, 95),
    Config,
    S1CDMax: weighted(random, [
      [2, 0],
      [3, 1],
      [4, 7],
    ] as const),
    S1Fmt: twoLevel ? 1 : 0,
    S1ContextPtr: place.cds + 0x1_0000 * streamId + (twoLevel ? 0x8000 : 0),
    S1DSS: random.below(4),
    EATS: weighted(random, [
      [1, 0],
      [4, 1],
      [3, Config === 7 ? 2 : 1],
    ] as const),
    PRIVCFG: weighted(random, [
      [5, 0],
      [1, 2],
      [1, 3],
    ] as const),
    INSTCFG: weighted(random, [
      [5, 0],
      [1, 2],
      [1, 3],
    ] as const),
    S2VMID: 1 + vm,
    S2T0SZ: 25,
    S2SL0: 1,
    S2PS: 5,
    S2AA64: 1,
    S2PTW: vm,
    S2R: random.below(2),
    S2TTB: place.stage2 + 0x1_0000 * vm,
  });
  return [place.streamTable + 64 * streamId, lanes];
};

/** A CD in the linear table of a stream, which is also the second level of its other table. */
export const cdOf = (random: Random, streamId: number, index: number): Structure => {
  const table = random.below(2);
  const lanes = encode(CD, {
    V: flag(random, 93),
    T0SZ: 25,
    EPD1: 1,
    TG1: 2,
    IPS: 5,
    AA64: 1,
    A: flag(random, 80),
    R: flag(random, 80),
    AFFD: flag(random, 30),
    WXN: flag(random, 30),
    PAN: flag(random, 30),
    HAD0: flag(random, 20),
    ASET: flag(random, 30),
    ASID: 1 + table + 2 * random.below(2),
    TTB0: place.tables + 0x1_0000 * table,
  });
  return [place.cds + 0x1_0000 * streamId + 64 * index, lanes];
};

/** A level 1 CD descriptor: it leads into the linear table, which lies as two tables of 64 CDs. */
export const l1CdOf = (random: Random, streamId: number, index: number): Structure => {
  const cds = place.cds + 0x1_0000 * streamId;
  return [cds + 0x8000 + 8 * index, encode(CD_TABLE_L1, { V: flag(random, 93), L2Ptr: cds + 0x1000 * index })];
};

/** A level 2 descriptor: a table of pages with hierarchical attributes, a block, or nothing. */
export const linkOf = (random: Random, table: number, index: number): Structure => {
  const base = place.tables + 0x1_0000 * table;
  const pa = base + 0x1000 + 8 * index;
  const kind = random.below(10);
  if (kind < 7) return [pa, [(base + 0x1000 * (2 + index)) | 3, percent(random, 40) ? random.below(16) << 27 : 0]];
  if (kind === 9) return [pa, [0, 0]];
  return [pa, [leaf(random, 0x60_0000 + 0x20_0000 * random.below(2)) | 1, executeNever(random)]];
};

/** A page descriptor, mostly valid. */
export const pageOf = (random: Random, table: number, va: number): Structure => {
  const base = place.tables + 0x1_0000 * table + 0x1000 * (2 + (va >>> 21));
  const low = percent(random, 90)
    ? leaf(random, 0x50_0000 + 0x1000 * random.below(4) + random.below(2) * 2 ** 30) | 3
    : 0;
  return [base + 8 * ((va >>> 12) % 512), [low, executeNever(random)]];
};

const leaf = (random: Random, pa: number): number =>
  pa | (flag(random, 80) << 6) | (flag(random, 25) << 7) | (flag(random, 90) << 10) | (flag(random, 70) << 11);

const executeNever = (random: Random): number => (percent(random, 70) ? 0 : random.below(4) << 21);

/**
 * The table of a virtual machine: blocks of 1 GiB, the first one (where all structures are) to itself, the second one to the
 * third, so that it is seen whether stage 2 was used.
 */
export const stageTwoOf = (random: Random, vm: number, index: number): Structure => {
  const s2ap = percent(random, 75) ? 3 : random.below(4);
  const attributes = percent(random, 80) ? 15 : random.below(16);
  const output = index === 0 ? 0 : 2 << 30;
  const low = output | 1 | (s2ap << 6) | (attributes << 2) | (flag(random, 93) << 10);
  return [place.stage2 + 0x1_0000 * vm + 8 * index, [low, executeNever(random)]];
};

/** A command that invalidates something. */
export const invalidationOf = (random: Random, StreamID: number): readonly number[] => {
  const Address = pick(random, pages);
  const at = { VMID: 1 + random.below(2), ASID: 1 + random.below(4), Address, Leaf: random.below(2) };
  const of = { StreamID, SubstreamID: pick(random, cdIndices), Leaf: random.below(2) };
  const tlbi = (name: keyof typeof OPCODE): number[] => encode(COMMAND_TLBI, { Opcode: OPCODE[name], ...at });
  const cfgi = (name: keyof typeof OPCODE): number[] => encode(COMMAND_CFGI, { Opcode: OPCODE[name], ...of });
  const atc = { Opcode: OPCODE.ATC_INV, StreamID, Size: pick(random, [0, 9, 52]), Address };
  const pasid = pick(random, substreams);
  const tag = pasid < 0 ? {} : { SSV: 1, SubstreamID: pasid, Global: random.below(2) };
  return weighted(random, [
    [2, tlbi('TLBI_NH_VA')],
    [2, tlbi('TLBI_NH_VAA')],
    [3, encode(COMMAND_TLBI, { Opcode: OPCODE.TLBI_NH_VAA, ...at, TG: 1, Num: 1 + random.below(2) })],
    [1, tlbi('TLBI_NH_ASID')],
    [1, tlbi('TLBI_NH_ALL')],
    [1, tlbi('TLBI_S12_VMALL')],
    [1, tlbi('TLBI_S2_IPA')],
    [1, tlbi('TLBI_NSNH_ALL')],
    [2, cfgi('CFGI_STE')],
    [3, cfgi('CFGI_CD')],
    [1, cfgi('CFGI_CD_ALL')],
    [4, encode(COMMAND_ATC_INV, { ...atc, ...tag })],
  ]);
};
