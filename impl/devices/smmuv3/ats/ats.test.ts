import { describe, expect, it } from 'vitest';
import { CD } from '../../../../model/architecture/arm/layout/cd.ts';
import { COMMAND_ATC_INV, OPCODE } from '../../../../model/architecture/arm/layout/command.ts';
import { EVENT } from '../../../../model/architecture/arm/layout/event.ts';
import { encode, type FieldValues } from '../../../../model/architecture/arm/layout/layout.ts';
import { REGISTER } from '../../../../model/architecture/arm/layout/register.ts';
import { BIT, cd, PLACE, RW, S2_RWX, World } from '../testing/world.ts';
import { Endpoint } from './endpoint.ts';

const ats = { kind: 'ats', write: true } as const;
const FULL = 1;
const SPLIT = 2;

function stageOne(eats = FULL, values: FieldValues<typeof CD> = {}): World {
  const world = new World();
  world.on({ ATSCHK: 1 });
  world.attach('STAGE1', { EATS: eats });
  world.memory.put(PLACE.CDS, cd(values));
  world.page(1, 0x50_1000 | RW);
  return world;
}

function nested(eats: number): World {
  const world = stageOne();
  world.attach('NESTED', { EATS: eats });
  // Stage 2 maps the first GiB to the second one; the words of the world are seen at both.
  world.memory.writeWord(PLACE.STAGE2, 0x4000_0000 | S2_RWX, 0);
  world.memory.mirror(0x4000_0000);
  return world;
}

function atcInv(world: World, values: FieldValues<typeof COMMAND_ATC_INV>): number {
  return world.command(encode(COMMAND_ATC_INV, { Opcode: OPCODE.ATC_INV, StreamID: 1, ...values }));
}

describe('translation requests', () => {
  it('grant what the tables permit', () => {
    const world = stageOne();
    const { kind, completion } = world.access(0x1234, ats);
    expect(kind).toBe('completion');
    expect(completion).toEqual({
      address: 0x50_1000,
      sizeLog2: 12,
      read: true,
      write: true,
      execute: false,
      privileged: false,
    });
    world.page(2, 0x50_2000 | RW | BIT.AP2);
    expect(world.access(0x2000, ats).completion).toMatchObject({ read: true, write: false });
  });

  it('that fault are granted nothing, and nothing is recorded', () => {
    const world = stageOne();
    expect(world.access(0x2000, ats)).toMatchObject({ kind: 'completion', completion: { read: false, sizeLog2: 12 } });
    world.memory.writeWord(PLACE.TABLES[2] + 8, BIT.PAGE, 1);
    expect(world.access(0x20_0000, ats).kind).toBe('completer-abort');
    expect(world.events()).toEqual([]);
  });

  it('errors of the configuration: Completer Abort; ATS not allowed: Unsupported Request, recorded', () => {
    const world = stageOne(0);
    expect(world.access(0x1000, ats).kind).toBe('unsupported');
    world.stream(2, { Config: 4, EATS: FULL });
    expect(world.access(0x1000, { ...ats, streamId: 2 }).kind).toBe('unsupported');
    expect(world.events().map(({ Event }) => Event)).toEqual([EVENT.F_BAD_ATS_TREQ, EVENT.F_BAD_ATS_TREQ]);
    world.stream(3, { Config: 0 });
    expect(world.access(0x1000, { ...ats, streamId: 3 }).kind).toBe('unsupported');
    expect(world.access(0x1000, { ...ats, streamId: 4 }).kind).toBe('completer-abort');
    expect(world.access(0x1000, { ...ats, streamId: 99 }).kind).toBe('completer-abort');
    expect(world.events()).toEqual([]);
    world.on({ SMMUEN: 0 });
    expect(world.access(0x1000, ats).kind).toBe('unsupported');
    expect(world.events()).toHaveLength(1);
  });

  it('with PASID may ask for execution and privilege', () => {
    const world = stageOne();
    world.attach('STAGE1', { EATS: FULL, S1CDMax: 2 });
    world.memory.put(PLACE.CDS + 64, cd({ ASID: 2 }));
    const request = { ...ats, substream: 1, instruction: true };
    expect(world.access(0x1000, request).completion).toMatchObject({ execute: true, privileged: false });
    world.page(2, 0x50_2000 | RW, 1 << 22);
    expect(world.access(0x2000, request).completion).toMatchObject({ execute: false, read: true });
    // What unprivileged accesses may write is not executable for privileged ones.
    expect(world.access(0x1000, { ...request, privileged: true }).completion).toMatchObject({
      execute: false,
      privileged: true,
    });
  });

  it('of both stages give the PA with full ATS, the IPA with split-stage ATS', () => {
    expect(nested(FULL).access(0x1234, ats).completion.address).toBe(0x4050_1000);
    expect(nested(SPLIT).access(0x1234, ats).completion.address).toBe(0x50_1000);
  });

  it('split-stage ATS needs ATSCHK', () => {
    const world = nested(SPLIT);
    world.on();
    expect(world.access(0x1234, ats).kind).toBe('unsupported');
  });
});

describe('translated transactions', () => {
  const translated = { kind: 'translated' } as const;

  it('pass if they are not checked, within the output size', () => {
    const world = stageOne(0);
    world.on();
    expect(world.access(0x1234, translated)).toMatchObject({ kind: 'memory', pa: 0x1234 });
    expect(world.access(2 ** 48, translated).kind).toBe('abort');
  });

  it('are forbidden where the STE does not allow ATS', () => {
    const world = stageOne(0);
    expect(world.access(0x1234, translated)).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSL_FORBIDDEN });
    expect(world.events()).toMatchObject([{ Event: EVENT.F_TRANSL_FORBIDDEN, RnW: 1, InputAddrLow: 0x1234 }]);
    expect(world.access(0x1234, { ...translated, streamId: 2 }).kind).toBe('abort');
    expect(world.events()).toEqual([]);
  });

  it('go through stage 2 with split-stage ATS', () => {
    const world = nested(SPLIT);
    expect(world.access(0x1234, translated).pa).toBe(0x4000_1234);
    expect(world.access(2 ** 31, translated)).toMatchObject({ kind: 'fault', event: EVENT.F_TRANSLATION });
    expect(world.events()).toMatchObject([{ S2: 1, CLASS: 2, FetchAddr: 2 ** 31 }]);
  });
});

describe('an endpoint', () => {
  const access = { substream: -1, low: 0x1234, high: 0, write: false, privileged: false, instruction: false };

  it('uses what it holds until CMD_ATC_INV', () => {
    const world = stageOne();
    const endpoint = new Endpoint(world.device, 1);
    expect(endpoint.access(access).pa).toBe(0x50_1234);
    world.page(1, 0x60_1000 | RW);
    world.tlbi('TLBI_NSNH_ALL');
    expect(endpoint.access(access).pa).toBe(0x50_1234);
    expect(atcInv(world, { Address: 0x2000 })).toBe(0);
    expect(endpoint.access(access).pa).toBe(0x50_1234);
    atcInv(world, { Address: 0x1000 });
    expect(endpoint.access(access).pa).toBe(0x60_1234);
    world.page(1, 0);
    world.tlbi('TLBI_NSNH_ALL');
    atcInv(world, { Size: 52 });
    expect(endpoint.held()).toBe(0);
    expect(endpoint.access(access)).toMatchObject({ kind: 'completion' });
  });

  it('without a PASID CMD_ATC_INV means every PASID; with Global, those only', () => {
    const world = stageOne();
    world.attach('STAGE1', { EATS: FULL, S1CDMax: 1, S1DSS: 2 });
    const endpoint = new Endpoint(world.device, 1);
    const fill = (): void => {
      for (const substream of [-1, 1]) expect(endpoint.access({ ...access, substream }).kind).toBe('memory');
    };
    world.memory.put(PLACE.CDS + 64, cd({ ASID: 2 }));
    for (const [values, left] of [
      [{ Address: 0x1000 }, 0],
      [{ Size: 52 }, 0],
      [{ Address: 0x1000, SSV: 1, SubstreamID: 1 }, 1],
      [{ Address: 0x1000, SSV: 1, SubstreamID: 5, Global: 1 }, 1],
      [{ Address: 0x2000 }, 2],
    ] as const) {
      fill();
      atcInv(world, values);
      expect(endpoint.held(), JSON.stringify(values)).toBe(left);
    }
  });

  it('asks again for what it was not granted', () => {
    const world = stageOne();
    const endpoint = new Endpoint(world.device, 1);
    world.page(1, 0x50_1000 | RW | BIT.AP2);
    expect(endpoint.access(access).kind).toBe('memory');
    expect(endpoint.access({ ...access, write: true })).toMatchObject({ kind: 'completion' });
    world.page(1, 0x50_1000 | RW);
    world.tlbi('TLBI_NSNH_ALL');
    expect(endpoint.access({ ...access, write: true }).kind).toBe('memory');
  });

  it('CMD_ATC_INV is ignored while translation is off, and illegal without ATS or beyond 2^64 bytes', () => {
    const world = stageOne();
    const endpoint = new Endpoint(world.device, 1);
    endpoint.access(access);
    world.on({ SMMUEN: 0, ATSCHK: 1 });
    expect(atcInv(world, { Size: 52 })).toBe(0);
    expect(endpoint.held()).toBe(1);
    expect(atcInv(world, { Size: 53 })).toBe(1);
    expect(atcInv(new World({ ats: false }), { Size: 52 })).toBe(1);
    expect(world.device.readRegister(REGISTER.GERROR)).toBe(1);
  });
});
