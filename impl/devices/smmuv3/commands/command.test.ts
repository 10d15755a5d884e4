import { describe, expect, it } from 'vitest';
import {
  COMMAND,
  COMMAND_CFGI,
  COMMAND_CFGI_STE_RANGE,
  COMMAND_SYNC,
  OPCODE,
} from '../../../../model/architecture/arm/layout/command.ts';
import { EVENT } from '../../../../model/architecture/arm/layout/event.ts';
import { encode } from '../../../../model/architecture/arm/layout/layout.ts';
import { REGISTER } from '../../../../model/architecture/arm/layout/register.ts';
import { BIT, cd, PLACE, RW, World } from '../testing/world.ts';

const ILLEGAL = 1;
const ABORT = 2;

/** Stream 1 at stage 1, with its page 1 in the TLB and then changed: `stale` says whether it is still there. */
function stale(change: (world: World) => number, features: ConstructorParameters<typeof World>[0] = {}): boolean {
  const world = new World(features);
  world.attach('STAGE1');
  world.page(1, 0x50_1000 | RW);
  world.access(0x1000);
  world.page(1, 0x60_1000 | RW);
  expect(change(world)).toBe(0);
  return world.access(0x1000).pa === 0x50_1000;
}

describe('the queue', () => {
  it('stops at an illegal command, and goes on when the error is acknowledged', () => {
    const world = new World();
    expect(world.command(encode(COMMAND, { Opcode: 0xff }))).toBe(ILLEGAL);
    expect(world.device.readRegister(REGISTER.GERROR)).toBe(1);
    // Nothing is consumed while the error is active.
    world.device.writeRegister(REGISTER.CMDQ_PROD, 2);
    expect(world.device.readRegister(REGISTER.CMDQ_CONS) & 15).toBe(0);
    world.memory.put(PLACE.COMMANDS, encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }));
    world.memory.put(PLACE.COMMANDS + 16, encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }));
    world.device.writeRegister(REGISTER.GERRORN, 1);
    expect(world.device.readRegister(REGISTER.CMDQ_CONS) & 15).toBe(2);
  });

  it('stops where a fetch is aborted', () => {
    const world = new World();
    world.memory.end = PLACE.COMMANDS;
    expect(world.command(encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }))).toBe(ABORT);
  });

  it('wraps around', () => {
    const world = new World();
    for (let command = 0; command < 20; command++)
      expect(world.command(encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }))).toBe(0);
    expect(world.device.readRegister(REGISTER.CMDQ_CONS) & 15).toBe(4);
  });

  it('waits while it is disabled', () => {
    const world = new World();
    world.on({ CMDQEN: 0 });
    world.command(encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC }));
    expect(world.device.readRegister(REGISTER.CMDQ_CONS) & 15).toBe(0);
    world.on();
    expect(world.device.readRegister(REGISTER.CMDQ_CONS) & 15).toBe(1);
  });
});

describe('legality', () => {
  it.each([
    ['SSec', encode(COMMAND, { Opcode: OPCODE.SYNC, SSec: 1 }), {}],
    ['CS of CMD_SYNC', encode(COMMAND_SYNC, { Opcode: OPCODE.SYNC, CS: 3 }), {}],
    ['stage 1 commands without stage 1', encode(COMMAND, { Opcode: OPCODE.TLBI_NH_ALL }), { stage1: false }],
    ['CFGI_CD without stage 1', encode(COMMAND, { Opcode: OPCODE.CFGI_CD }), { stage1: false }],
    ['stage 2 commands without stage 2', encode(COMMAND, { Opcode: OPCODE.TLBI_S12_VMALL }), { stage2: false }],
    ['by IPA without stage 2', encode(COMMAND, { Opcode: OPCODE.TLBI_S2_IPA }), { stage2: false }],
    ['EL2 commands without EL2', encode(COMMAND, { Opcode: OPCODE.TLBI_EL2_ALL }), { hyp: false }],
    ['responses without PRI', encode(COMMAND, { Opcode: OPCODE.PRI_RESP }), { pri: false }],
    ['CMD_RESUME without stalls', encode(COMMAND, { Opcode: OPCODE.RESUME }), { stallModel: 1 as const }],
  ])('%s', (_, lanes, features) => {
    expect(new World(features).command(lanes)).toBe(ILLEGAL);
  });
});

describe('invalidations by tag and address', () => {
  it.each([
    ['its VMID', 'TLBI_NH_ALL', { VMID: 0 }, false],
    ['another VMID', 'TLBI_NH_ALL', { VMID: 1 }, true],
    ['its ASID', 'TLBI_NH_ASID', { ASID: 1 }, false],
    ['another ASID', 'TLBI_NH_ASID', { ASID: 2 }, true],
    ['its page', 'TLBI_NH_VA', { ASID: 1, Address: 0x1000 }, false],
    ['another page', 'TLBI_NH_VA', { ASID: 1, Address: 0x2000 }, true],
    ['another ASID, the page', 'TLBI_NH_VA', { ASID: 2, Address: 0x1000 }, true],
    ['all ASIDs, the page', 'TLBI_NH_VAA', { Address: 0x1000 }, false],
    ['both stages', 'TLBI_S12_VMALL', { VMID: 0 }, false],
    ['IPAs', 'TLBI_S2_IPA', { Address: 0x1000 }, true],
    ['EL2', 'TLBI_EL2_ALL', {}, true],
    ['a range up to it', 'TLBI_NH_VAA', { Address: 0, TG: 1, Num: 1 }, false],
    ['a range before it', 'TLBI_NH_VAA', { Address: 0, TG: 1, TTL: 3 }, true],
    ['a range of 2^3 * 2 pages', 'TLBI_NH_VAA', { Address: 0, TG: 1, Num: 1, Scale: 3 }, false],
    ['another granule', 'TLBI_NH_VAA', { Address: 0, TG: 3, Num: 1 }, true],
    ['another level', 'TLBI_NH_VAA', { Address: 0, TG: 1, Num: 1, TTL: 2 }, true],
  ] as const)('%s: %s', (_, name, values, remains) => {
    expect(stale((world) => world.tlbi(name, values))).toBe(remains);
  });

  it('a range that says nothing is illegal; without RIL the fields are ignored', () => {
    expect(new World().tlbi('TLBI_NH_VAA', { Address: 0x1000, TG: 1 })).toBe(ILLEGAL);
    expect(stale((world) => world.tlbi('TLBI_NH_VAA', { Address: 0x1000, TG: 3 }), { ril: false })).toBe(false);
  });
});

describe('EL2', () => {
  it('has entries of its own: without ASID, or with E2H by ASID', () => {
    const world = new World();
    world.attach('STAGE1', { STRW: 2 });
    world.memory.put(PLACE.CDS, cd({ ASID: 5 }));
    world.page(1, 0x50_1000 | RW | BIT.AP1);
    world.access(0x1000);
    world.page(1, 0x60_1000 | RW);
    world.tlbi('TLBI_NSNH_ALL');
    world.tlbi('TLBI_EL2_ASID', { ASID: 5 });
    expect(world.access(0x1000).pa).toBe(0x50_1000);
    // Without E2H the ASID of the command is ignored.
    world.tlbi('TLBI_EL2_VA', { ASID: 9, Address: 0x1000 });
    expect(world.access(0x1000).pa).toBe(0x60_1000);
  });

  it('has one privilege and one table', () => {
    const world = new World();
    world.attach('STAGE1', { STRW: 2 });
    world.page(1, (0x50_1000 | RW) & ~BIT.AP1);
    expect(world.access(0x1000, { write: true }).kind).toBe('memory');
    expect(world.access(0x1000, { low: 0x1000, high: -1 }).event).toBe(EVENT.F_TRANSLATION);
  });
});

describe('invalidations of configuration', () => {
  function changed(lanes: readonly number[]): boolean {
    const world = new World();
    world.stream(9, { Config: 5, S1CDMax: 1, S1DSS: 2 });
    world.page(1, 0x50_1000 | RW);
    world.access(0x1000, { streamId: 9 });
    world.memory.put(PLACE.CDS, cd({ V: 0 }));
    expect(world.command(lanes)).toBe(0);
    return world.access(0x1000, { streamId: 9 }).kind !== 'memory';
  }

  it.each([
    ['CFGI_STE', { Opcode: OPCODE.CFGI_STE, StreamID: 9, Leaf: 1 }, true],
    ['CFGI_STE of another stream', { Opcode: OPCODE.CFGI_STE, StreamID: 8 }, false],
    ['CFGI_CD', { Opcode: OPCODE.CFGI_CD, StreamID: 9, SubstreamID: 0, Leaf: 1 }, true],
    ['CFGI_CD of another substream', { Opcode: OPCODE.CFGI_CD, StreamID: 9, SubstreamID: 1 }, false],
    ['CFGI_CD_ALL', { Opcode: OPCODE.CFGI_CD_ALL, StreamID: 9 }, true],
  ] as const)('%s', (_, values, expected) => {
    expect(changed(encode(COMMAND_CFGI, values))).toBe(expected);
  });

  it.each([
    [31, 0, true],
    [2, 12, true],
    [1, 12, false],
  ])('CFGI_STE_RANGE %i from %i', (Range, StreamID, expected) => {
    expect(changed(encode(COMMAND_CFGI_STE_RANGE, { Opcode: OPCODE.CFGI_STE_RANGE, StreamID, Range }))).toBe(expected);
  });
});
