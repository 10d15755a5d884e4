import { describe, expect, it } from 'vitest';
import { CD } from '../../../model/architecture/arm/layout/cd.ts';
import { EVENT, EVENT_CLASS } from '../../../model/architecture/arm/layout/event.ts';
import type { FieldValues } from '../../../model/architecture/arm/layout/layout.ts';
import { REGISTER } from '../../../model/architecture/arm/layout/register.ts';
import { BIT, cd, PLACE, RW, S2_RWX, World } from './testing/world.ts';

/** A world with one stream at stage 1 whose page 1 leads to 0x50_1000. */
function stageOne(values: FieldValues<typeof CD> = {}): World {
  const world = new World();
  world.attach('STAGE1');
  world.memory.put(PLACE.CDS, cd(values));
  world.page(1, 0x50_1000 | RW);
  return world;
}

/** The only event record. */
function record(world: World): ReturnType<World['events']>[number] {
  const events = world.events();
  expect(events).toHaveLength(1);
  return events[0] as ReturnType<World['events']>[number];
}

describe('stage 1', () => {
  it('translates, and answers from the TLB until an invalidation', () => {
    const world = stageOne();
    expect(world.access(0x1234)).toMatchObject({ kind: 'memory', pa: 0x50_1234 });
    world.page(1, 0x60_1000 | RW);
    expect(world.access(0x1234).pa).toBe(0x50_1234);
    expect(world.tlbi('TLBI_NH_VA', { ASID: 1, Address: 0x1000, Leaf: 1 })).toBe(0);
    expect(world.access(0x1234).pa).toBe(0x60_1234);
  });

  it('faults in the order of §7.3.22, with the fields of the record', () => {
    const world = stageOne();
    world.page(1, 0);
    expect(world.access(0x1008, { write: true })).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSLATION });
    expect(record(world)).toMatchObject({
      Event: EVENT.F_TRANSLATION,
      StreamID: 1,
      RnW: 0,
      S2: 0,
      CLASS: EVENT_CLASS.INPUT,
      InputAddrLow: 0x1008,
    });
    // Neither AF nor permissions: the Access flag comes first.
    world.page(1, 0x50_1000 | BIT.PAGE);
    expect(world.access(0x1000).event).toBe(EVENT.F_ACCESS);
    world.page(1, 0x50_1000 | BIT.PAGE | BIT.AF, 1 << 22);
    expect(world.access(0x1000, { instruction: true }).event).toBe(EVENT.F_PERMISSION);
    expect(world.events().map(({ InD, RnW }) => [InD, RnW])).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });

  it('reports an aborted fetch with its address', () => {
    const world = stageOne();
    world.memory.writeWord(PLACE.TABLES[2], 0x3 | 0, 0x1);
    expect(world.access(0x1000).event).toBe(EVENT.F_WALK_EABT);
    expect(record(world)).toMatchObject({ CLASS: EVENT_CLASS.TABLE, FetchAddr: 2 ** 32 + 8 });
  });

  it('finds outputs beyond CD.IPS, at every level', () => {
    const world = stageOne({ IPS: 0 });
    world.page(1, 0x50_1000 | RW, 1);
    expect(world.access(0x1000).event).toBe(EVENT.F_ADDR_SIZE);
  });

  it('ignores the top byte only with TBI', () => {
    const tagged = { high: 0x5a00_0000 };
    expect(stageOne({ TBI0: 1 }).access(0x1000, tagged).pa).toBe(0x50_1000);
    expect(stageOne().access(0x1000, tagged).event).toBe(EVENT.F_TRANSLATION);
  });

  it('obeys A and R', () => {
    const silent = stageOne({ A: 0, R: 0 });
    silent.page(1, 0);
    expect(silent.access(0x1000)).toMatchObject({ kind: 'fault', aborted: false, recorded: false });
    expect(silent.events()).toEqual([]);
  });

  it('a global entry serves other ASIDs of the VMID with the same ASET', () => {
    const world = stageOne();
    world.page(1, (0x50_1000 | RW) & ~BIT.NG);
    world.stream(2, { Config: 5, S1ContextPtr: PLACE.CDS + 64 });
    world.memory.put(PLACE.CDS + 64, cd({ ASID: 2 }));
    world.access(0x1000);
    world.page(1, 0x60_1000 | RW);
    expect(world.access(0x1000, { streamId: 2 }).pa).toBe(0x50_1000);
    world.tlbi('TLBI_NH_ASID', { ASID: 1 });
    expect(world.access(0x1000, { streamId: 2 }).pa).toBe(0x50_1000);
    world.tlbi('TLBI_NH_VA', { ASID: 3, Address: 0x1000 });
    expect(world.access(0x1000, { streamId: 2 }).pa).toBe(0x60_1000);
  });

  it('goes on from a cached table descriptor; Leaf = 1 leaves it', () => {
    const world = stageOne();
    world.access(0x1000);
    world.memory.writeWord(PLACE.TABLES[2], 0, 0);
    world.page(2, 0x50_2000 | RW);
    expect(world.access(0x2000).pa).toBe(0x50_2000);
    world.tlbi('TLBI_NH_VAA', { Address: 0x2000, Leaf: 1 });
    expect(world.access(0x2000).kind).toBe('memory');
    world.tlbi('TLBI_NH_VAA', { Address: 0x2000 });
    expect(world.access(0x2000).event).toBe(EVENT.F_TRANSLATION);
  });

  it('holds a contiguous run as one entry, unless input and output lie at different places of it', () => {
    const world = stageOne();
    world.page(1, 0x50_1000 | RW, 1 << 20);
    world.access(0x1000);
    expect(world.access(0x2000).pa).toBe(0x50_2000);
    const wrong = stageOne();
    wrong.page(1, 0x50_2000 | RW, 1 << 20);
    expect(wrong.access(0x1000).pa).toBe(0x50_2000);
    expect(wrong.access(0x2000).event).toBe(EVENT.F_TRANSLATION);
  });

  it('STE.PRIVCFG and INSTCFG override, and the record says so', () => {
    const world = stageOne();
    world.attach('STAGE1', { PRIVCFG: 3, INSTCFG: 3 });
    world.page(1, 0x50_1000 | BIT.PAGE | BIT.AF, 1 << 21);
    expect(world.access(0x1000).event).toBe(EVENT.F_PERMISSION);
    expect(record(world)).toMatchObject({ PnU: 1, InD: 1 });
    expect(world.access(0x1000, { write: true }).kind).toBe('memory');
  });
});

describe('stage 2', () => {
  it('translates IPAs, checks S2AP, and names the IPA', () => {
    const world = new World();
    world.attach('STAGE2');
    expect(world.access(0x1234).pa).toBe(0x1234);
    world.memory.writeWord(PLACE.STAGE2, S2_RWX & ~BIT.AP2, 0);
    world.tlbi('TLBI_S2_IPA', { Address: 0x1000 });
    expect(world.access(0x1234, { write: true }).event).toBe(EVENT.F_PERMISSION);
    expect(record(world)).toMatchObject({ S2: 1, CLASS: EVENT_CLASS.INPUT, FetchAddr: 0x1000 });
  });

  it('an IPA beyond S2T0SZ is a translation fault, an address beyond the IPA size one of stage 1', () => {
    const world = new World();
    world.attach('STAGE2', { S2R: 0 });
    expect(world.access(2 ** 39)).toMatchObject({ event: EVENT.F_TRANSLATION, recorded: false, aborted: true });
    expect(world.access(2 ** 48)).toMatchObject({ event: EVENT.F_ADDR_SIZE, recorded: true });
    expect(record(world).S2).toBe(0);
  });

  it('execution: XN[1] alone without XNX, both privileges with it', () => {
    const fetch = { instruction: true };
    for (const [xnx, xn, privileged, allowed] of [
      [true, 1, true, false],
      [true, 1, false, true],
      [true, 3, true, true],
      [true, 3, false, false],
      [false, 1, true, true],
      [false, 3, true, false],
    ] as const) {
      const world = new World({ xnx });
      world.attach('STAGE2');
      world.memory.writeWord(PLACE.STAGE2, S2_RWX, xn << 21);
      expect(world.access(0x1000, { ...fetch, privileged }).kind).toBe(allowed ? 'memory' : 'fault');
    }
  });
});

describe('both stages', () => {
  function nested(): World {
    const world = new World();
    world.attach('NESTED', { S2VMID: 7 });
    world.page(1, 0x50_1000 | RW);
    return world;
  }

  it('composes, and a change of stage 2 takes both invalidations', () => {
    const world = nested();
    expect(world.access(0x1234).pa).toBe(0x50_1234);
    world.memory.writeWord(PLACE.STAGE2, 0, 0);
    world.tlbi('TLBI_S2_IPA', { VMID: 7, Address: 0x50_1000 });
    expect(world.access(0x1234).kind).toBe('memory');
    world.tlbi('TLBI_NH_ALL', { VMID: 7 });
    expect(world.access(0x1234)).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSLATION });
    expect(record(world)).toMatchObject({ S2: 1, CLASS: EVENT_CLASS.TABLE });
  });

  it('a CD that stage 2 does not map: class CD and the IPA of the CD', () => {
    const world = nested();
    world.memory.writeWord(PLACE.STAGE2, 0, 0);
    expect(world.access(0x1234).event).toBe(EVENT.F_TRANSLATION);
    expect(record(world)).toMatchObject({ S2: 1, CLASS: EVENT_CLASS.CD, FetchAddr: PLACE.CDS });
  });

  it('S2PTW refuses tables in Device memory', () => {
    const world = nested();
    world.attach('NESTED', { S2PTW: 1 });
    world.memory.writeWord(PLACE.STAGE2, S2_RWX & ~(15 << 2), 0);
    expect(world.access(0x1234).event).toBe(EVENT.F_PERMISSION);
    expect(record(world)).toMatchObject({ S2: 1, CLASS: EVENT_CLASS.CD });
  });

  it('stage 1 refuses before stage 2 is looked at', () => {
    const world = nested();
    world.page(1, 0x50_1000 | RW | BIT.AP2);
    world.memory.writeWord(PLACE.STAGE2, S2_RWX & ~BIT.AP2, 0);
    world.access(0x1000, { write: true });
    expect(record(world)).toMatchObject({ Event: EVENT.F_PERMISSION, S2: 0 });
  });

  it('a block of stage 1 over pages of stage 2: one address takes every piece away', () => {
    const world = nested();
    world.memory.writeWord(PLACE.TABLES[2] + 8, 0x60_0000 | BIT.BLOCK | BIT.AF | BIT.NG | BIT.AP1, 0);
    world.memory.writeWord(PLACE.STAGE2, 0x4_2000 | BIT.PAGE, 0);
    world.memory.writeWord(0x4_2000, S2_RWX, 0);
    world.memory.writeWord(0x4_2000 + 8 * 3, 0x4_3000 | BIT.PAGE, 0);
    for (const page of [0, 1]) world.memory.writeWord(0x4_3000 + 8 * page, ((0x70 + page) << 12) | S2_RWX | 2, 0);
    expect(world.access(0x20_0000).pa).toBe(0x7_0000);
    expect(world.access(0x20_1000).pa).toBe(0x7_1000);
    world.memory.writeWord(PLACE.TABLES[2] + 8, 0, 0);
    world.tlbi('TLBI_NH_VA', { VMID: 0, ASID: 1, Address: 0x20_0000 });
    expect(world.access(0x20_1000).kind).toBe('memory');
    world.tlbi('TLBI_NH_VA', { VMID: 7, ASID: 1, Address: 0x20_0000 });
    expect(world.access(0x20_1000).event).toBe(EVENT.F_TRANSLATION);
  });

  it('entries of both stages do not serve a stream of stage 1 alone with the same tags', () => {
    const world = nested();
    world.memory.writeWord(PLACE.STAGE2, 0x8000_0000 | S2_RWX, 0);
    world.memory.writeWord(PLACE.STAGE2 + 8, 0, 0);
    world.memory.mirror(0x8000_0000);
    expect(world.access(0x1234).pa).toBe(0x8050_1234);
    world.stream(2, { Config: 5, S2VMID: 7 });
    expect(world.access(0x1234, { streamId: 2 }).pa).toBe(0x50_1234);
  });
});

describe('configuration', () => {
  it('no STE: C_BAD_STREAMID, if software wants to know', () => {
    const world = new World();
    expect(world.access(0x1000, { streamId: 16 }).event).toBe(EVENT.C_BAD_STREAMID);
    expect(record(world)).toMatchObject({ Event: EVENT.C_BAD_STREAMID, StreamID: 16 });
    expect(world.access(0x1000).event).toBe(EVENT.C_BAD_STE);
  });

  it('is cached, valid or not, until CMD_CFGI', () => {
    const world = new World();
    world.access(0x1000);
    world.attach('BYPASS');
    expect(world.access(0x1000).event).toBe(EVENT.C_BAD_STE);
    world.command([0x03, 1, 1, 0]);
    expect(world.access(0x1000).pa).toBe(0x1000);
  });

  it('abort is silent; bypass is held to the output size', () => {
    const world = new World();
    world.attach('ABORT');
    expect(world.access(0x1000).kind).toBe('abort');
    world.stream(2, { Config: 4 });
    expect(world.access(2 ** 48, { streamId: 2 }).event).toBe(EVENT.F_ADDR_SIZE);
    expect(world.access(2 ** 48 - 8, { streamId: 2 }).pa).toBe(2 ** 48 - 8);
  });

  it('substreams: two-level CD table, S1DSS', () => {
    const world = new World();
    world.attach('STAGE1', { S1Fmt: 1, S1CDMax: 8, S1DSS: 1, S1ContextPtr: 0x6_0000 });
    world.memory.writeWord(0x6_0000 + 8, 0x6_1001, 0);
    world.memory.put(0x6_1000 + 64 * 2, cd());
    world.page(1, 0x50_1000 | RW);
    expect(world.access(0x1000, { substream: 66 }).pa).toBe(0x50_1000);
    expect(world.access(0x1000).pa).toBe(0x1000);
    expect(world.access(0x1000, { substream: 2 }).event).toBe(EVENT.C_BAD_SUBSTREAMID);
    expect(world.access(0x1000, { substream: 256 }).event).toBe(EVENT.C_BAD_SUBSTREAMID);
    expect(world.access(0x1000, { substream: 65 }).event).toBe(EVENT.C_BAD_CD);
    expect(world.events().map(({ SSV, SubstreamID }) => [SSV, SubstreamID])).toEqual([
      [0, 2],
      [0, 256],
      [1, 65],
    ]);
  });

  it.each([
    [0, 1, EVENT.F_STREAM_DISABLED, 0x50_1000],
    [2, 0, 0, EVENT.F_STREAM_DISABLED],
  ])('S1DSS %i: without a substream, and with substream 0', (s1dss, substream, without, of0) => {
    const world = new World();
    world.attach('STAGE1', { S1CDMax: 2, S1DSS: s1dss });
    world.memory.put(PLACE.CDS + 64, cd({ ASID: 2 }));
    world.page(1, 0x50_1000 | RW);
    const answer = world.access(0x1000);
    expect(answer.kind === 'memory' ? 0 : answer.event).toBe(without);
    const other = world.access(0x1000, { substream });
    expect(other.kind === 'memory' ? other.pa : other.event).toBe(of0);
  });

  it('a two-level stream table', () => {
    const world = new World();
    world.device.writeRegister(REGISTER.CR0, 0);
    world.device.writeRegister(REGISTER.STRTAB_BASE, 0x7_0000, 0);
    world.device.writeRegister(REGISTER.STRTAB_BASE_CFG, 8 | (6 << 6) | (1 << 16));
    world.on();
    world.memory.writeWord(0x7_0000 + 8, 0x7_1000 | 3, 0);
    world.memory.put(0x7_1000 + 64 * 2, [1 | (4 << 1), 0, 0, 0, 0, 0, 0, 0]);
    expect(world.access(0x1000, { streamId: 66 }).pa).toBe(0x1000);
    expect(world.access(0x1000, { streamId: 68 }).event).toBe(EVENT.C_BAD_STREAMID);
    expect(world.access(0x1000, { streamId: 2 }).event).toBe(EVENT.C_BAD_STREAMID);
  });

  it('fetches that are aborted', () => {
    const world = new World();
    world.memory.end = PLACE.STREAM_TABLE;
    expect(world.access(0x1000).event).toBe(EVENT.F_STE_FETCH);
    world.memory.end = 2 ** 32;
    world.attach('STAGE1', { S1ContextPtr: 2 ** 33 });
    expect(world.access(0x1000).event).toBe(EVENT.F_CD_FETCH);
    // The queue was out of reach for the first one.
    expect(world.device.readRegister(REGISTER.GERROR)).toBe(4);
  });
});

describe('translation off', () => {
  it('goes by GBPA', () => {
    const world = new World();
    world.device.writeRegister(REGISTER.CR0, 0);
    expect(world.access(0x1000).pa).toBe(0x1000);
    expect(world.access(2 ** 48).kind).toBe('abort');
    world.device.writeRegister(REGISTER.GBPA, (1 << 31) | (1 << 20));
    expect(world.access(0x1000).kind).toBe('abort');
    world.device.writeRegister(REGISTER.GBPA, 0);
    expect(world.access(0x1000).kind).toBe('abort');
  });
});
