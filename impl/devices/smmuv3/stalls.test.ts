import { describe, expect, it } from 'vitest';
import { COMMAND_RESUME, COMMAND_STALL_TERM, OPCODE } from '../../../model/architecture/arm/layout/command.ts';
import { encode } from '../../../model/architecture/arm/layout/layout.ts';
import { REGISTER } from '../../../model/architecture/arm/layout/register.ts';
import { cd, PLACE, RW, World } from './testing/world.ts';

function stalling(): World {
  const world = new World();
  world.attach('STAGE1');
  world.memory.put(PLACE.CDS, cd({ S: 1, R: 0 }));
  return world;
}

const resume = (STAG: number, Ac: number, Ab = 0, StreamID = 1): number[] =>
  encode(COMMAND_RESUME, { Opcode: OPCODE.RESUME, StreamID, STAG, Ac, Ab });

describe('stalled transactions', () => {
  it('are always recorded, and retried by CMD_RESUME', () => {
    const world = stalling();
    expect(world.access(0x1000)).toMatchObject({ kind: 'stalled', stag: 0 });
    expect(world.access(0x1008)).toMatchObject({ kind: 'stalled', stag: 1 });
    expect(world.events()).toMatchObject([
      { Stall: 1, STAG: 0 },
      { Stall: 1, STAG: 1, InputAddrLow: 0x1008 },
    ]);
    world.page(1, 0x50_1000 | RW);
    world.command(resume(1, 1, 0, 2));
    expect(world.device.takeResumed()).toEqual([]);
    world.command(resume(1, 1));
    expect(world.device.takeResumed()).toMatchObject([{ stag: 1, answer: { kind: 'memory', pa: 0x50_1008 } }]);
    world.command(resume(0, 0, 1));
    expect(world.device.takeResumed()).toMatchObject([{ stag: 0, answer: { kind: 'fault', aborted: true } }]);
  });

  it('are terminated by CMD_STALL_TERM, and when translation is switched off', () => {
    const world = stalling();
    world.access(0x1000);
    world.command(encode(COMMAND_STALL_TERM, { Opcode: OPCODE.STALL_TERM, StreamID: 1 }));
    expect(world.device.takeResumed()).toHaveLength(1);
    world.access(0x1000);
    world.device.writeRegister(REGISTER.CR0, 0);
    expect(world.device.takeResumed()).toMatchObject([{ answer: { aborted: true } }]);
  });

  it('wait with their records for a queue that is full, without an overflow', () => {
    const world = stalling();
    for (let made = 0; made < 6; made++) world.access(0x1000 + 8 * made);
    expect(world.device.readRegister(REGISTER.EVENTQ_PROD)).toBe(4);
    expect(world.events()).toHaveLength(4);
    expect(world.events().map(({ STAG }) => STAG)).toEqual([4, 5]);
  });
});

describe('translations in flight', () => {
  it('begin anew when an invalidation has overtaken them, so that no late fill survives it', () => {
    const world = stalling();
    world.page(1, 0x50_1000 | RW);
    const translation = world.device.begin(world.request(0x1000));
    while (translation.label !== 'descriptor 0x33008') translation.step();
    world.page(1, 0x60_1000 | RW);
    world.tlbi('TLBI_NH_ALL');
    translation.step();
    expect(translation.label).toBe('begins anew');
    while (!translation.done) translation.step();
    expect(translation.answer).toMatchObject({ kind: 'memory', pa: 0x60_1000 });
    expect(world.access(0x1000).pa).toBe(0x60_1000);
  });

  it('make one memory access or one action of a cache in each step', () => {
    const world = stalling();
    world.page(1, 0x50_1000 | RW);
    const labels = (): string[] => {
      const translation = world.device.begin(world.request(0x1000));
      const seen: string[] = [];
      while (!translation.done) {
        translation.step();
        seen.push(translation.label);
      }
      return seen;
    };
    expect(labels()).toEqual([
      'configuration miss',
      'stream table 0x10040',
      'STE miss 0x1',
      'STE 0x10040',
      'STE 0x10048',
      'STE 0x10050',
      'STE 0x10058',
      'STE fill',
      'CD miss 0x0',
      'CD 0x20000',
      'CD 0x20008',
      'CD 0x20010',
      'CD fill',
      'TLB miss',
      'walk cache miss',
      'descriptor 0x31000',
      'walk cache fill 0x32000',
      'descriptor 0x32000',
      'walk cache fill 0x33000',
      'descriptor 0x33008',
      'TLB fill 0x501000',
    ]);
    expect(labels()).toEqual(['configuration hit', 'TLB hit']);
  });
});
