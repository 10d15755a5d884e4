import { describe, expect, it } from 'vitest';
import { COMMAND_ERROR } from './command-queue.ts';
import { featureRegisters, featuresFromRegisters, FULL_FEATURES } from '../layout/features.ts';
import { REGISTER } from '../layout/register.ts';
import { AT, SYNC, TestWorld, tlbi } from '../testing/world.ts';

const X = 0x1000;
const BAD = [0x99, 0, 0, 0];

function attached(capacity = {}): { world: TestWorld; bottom: number } {
  const world = new TestWorld([{ streamId: 1, substream: -1, va: X }], {}, capacity);
  const { top, bottom } = world.tree(X);
  world.map(bottom, X, 0x40_0000);
  world.cd(1, { ASID: 5, TTB0: top });
  world.ste(1);
  world.enable();
  return { world, bottom };
}

function cons(world: TestWorld): { index: number; error: number } {
  const value = world.smmu.readRegister(REGISTER.CMDQ_CONS);
  return { index: value & 0x1ff, error: (value >>> 24) & 0x7f };
}

describe('the command queue', () => {
  it('moves CONS only when software has seen it move', () => {
    const { world } = attached();
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    expect(cons(world)).toEqual({ index: 0, error: 0 });
    world.complete();
    expect(cons(world)).toEqual({ index: 2, error: 0 });
    world.smmu.completeCommands(1);
    expect(cons(world)).toEqual({ index: 2, error: 0 });
  });

  it('takes an index that it has passed for old news', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(SYNC, SYNC);
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.smmu.completeCommands(1);
    expect(cons(world)).toEqual({ index: 3, error: 0 });
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('does not complete an invalidation that no CMD_SYNC follows', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(SYNC, tlbi('TLBI_NH_ALL'));
    world.complete();
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync();
    expect(world.see()).toEqual(['f10']);
  });

  it('wraps', () => {
    const { world, bottom } = attached();
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 200; at++) world.issue(tlbi('TLBI_NH_ASID', { ASID: 1 }));
      world.sync();
    }
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['f10']);
  });

  it('does nothing while it is disabled, and then goes on at CONS', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.enable();
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it('stops at an illegal command until software has repaired and acknowledged it', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(SYNC, BAD, tlbi('TLBI_NH_ALL'), SYNC);
    expect(cons(world)).toEqual({ index: 1, error: COMMAND_ERROR.ILLEGAL });
    expect(world.smmu.readRegister(REGISTER.GERROR)).toBe(1);
    world.complete();
    expect(world.see()).toEqual(['f10', '→400000']);
    world.memory.set(AT.commands + 16, SYNC[0] as number, 0);
    world.smmu.writeRegister(REGISTER.GERRORN, 1);
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it('has consumed what it had begun when it is disabled; that need not have completed (§6.3.9.3)', () => {
    const { world, bottom } = attached();
    world.issue(tlbi('TLBI_NH_ALL'));
    world.smmu.writeRegister(REGISTER.CR0, 1);
    expect(cons(world)).toEqual({ index: 1, error: 0 });
    world.map(bottom, X);
    world.enable();
    world.sync();
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('goes on where software says, after it has been disabled', () => {
    const { world, bottom } = attached();
    world.issue(tlbi('TLBI_NH_ALL'));
    world.map(bottom, X);
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.smmu.writeRegister(REGISTER.CMDQ_CONS, 0);
    world.enable();
    world.sync();
    expect(world.see()).toEqual(['f10']);
  });

  it('takes back what software takes back while an error is active (§7.1)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(SYNC, BAD, tlbi('TLBI_NH_ALL'), SYNC);
    world.smmu.writeRegister(REGISTER.CMDQ_PROD, 1);
    world.prod = 1;
    world.smmu.writeRegister(REGISTER.GERRORN, 1);
    world.sync(SYNC);
    expect(cons(world).index).toBe(3);
    expect(world.see()).toEqual(['f10', '→400000']);
  });

  it('begins nothing more while an error is active, whatever is written to PROD', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(BAD);
    world.memory.set(AT.commands, SYNC[0] as number, 0);
    world.sync(tlbi('TLBI_NH_ALL'));
    expect(cons(world)).toEqual({ index: 0, error: COMMAND_ERROR.ILLEGAL });
    expect(world.smmu.readRegister(REGISTER.GERROR)).toBe(1);
    expect(world.see()).toEqual(['f10', '→400000']);
    world.smmu.writeRegister(REGISTER.GERRORN, 1);
    world.complete();
    expect(world.see()).toEqual(['f10']);
  });

  it('begins nothing again when CR0 is written and it stays enabled', () => {
    const { world, bottom } = attached();
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.map(bottom, X, 0x40_1000);
    world.map(bottom, X);
    world.enable();
    expect(world.smmu.coveredByLastCommands).toBe(0);
    world.complete();
    expect(world.see()).toContain('→401000');
  });

  it('begins, when it is enabled, where CMDQ_CONS stands', () => {
    const { world } = attached();
    world.issue(BAD);
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.smmu.writeRegister(REGISTER.CMDQ_CONS, 1);
    world.smmu.writeRegister(REGISTER.GERRORN, 1);
    world.enable();
    world.sync();
    expect(cons(world)).toEqual({ index: 2, error: COMMAND_ERROR.NONE });
  });

  it.each([
    ['its size', 3, 0x4_0040, 0x4_0000],
    ['32 bytes if it is smaller', 0, 0x4_0020, 0x4_0020],
  ])('is aligned to %s', (_what, log2, base, at) => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.smmu.writeRegister(REGISTER.CMDQ_BASE, base | log2, 0);
    const command = tlbi('TLBI_NH_ALL') as [number, number, number, number];
    const entries = 2 ** log2;
    world.enable();
    for (const [index, lanes] of [command, SYNC as typeof command].entries()) {
      world.memory.set(at + 16 * (index % entries), lanes[0], lanes[1]);
      world.memory.set(at + 16 * (index % entries) + 8, lanes[2], lanes[3]);
      world.smmu.writeRegister(REGISTER.CMDQ_PROD, (index + 1) % (2 * entries));
      world.smmu.completeCommands((index + 1) % (2 * entries));
    }
    expect(cons(world).error).toBe(COMMAND_ERROR.NONE);
    expect(world.see()).toEqual(['f10']);
  });

  it('may be full', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    for (let at = 0; at < 255; at++) world.issue(tlbi('TLBI_NH_ALL'));
    world.issue(SYNC);
    expect(cons(world)).toEqual({ index: 0, error: 0 });
    world.complete();
    expect(cons(world)).toEqual({ index: 256, error: 0 });
    expect(world.see()).toEqual(['f10']);
  });

  it('knows commands by all of their lanes', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: X + 0x1000 }));
    expect(world.see()).toEqual(['f10', '→400000']);
    world.sync(tlbi('TLBI_NH_VA', { ASID: 5, Address: X }));
    expect(world.see()).toEqual(['f10']);
  });

  it('an error outlives a change of CMDQEN, and is only acknowledged in GERRORN (§6.3.28)', () => {
    const { world } = attached();
    world.issue(BAD, SYNC);
    world.smmu.writeRegister(REGISTER.GERROR, 0);
    expect(world.smmu.readRegister(REGISTER.GERROR)).toBe(1);
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.enable();
    world.complete();
    expect(cons(world)).toEqual({ index: 0, error: COMMAND_ERROR.ILLEGAL });
  });

  it('reads nothing between inconsistent indexes (§3.5.1)', () => {
    const { world, bottom } = attached();
    world.map(bottom, X);
    world.issue(tlbi('TLBI_NH_ALL'), SYNC);
    world.smmu.writeRegister(REGISTER.CMDQ_PROD, 0x180);
    expect(cons(world).error).toBe(0);
    world.smmu.writeRegister(REGISTER.CMDQ_PROD, 2);
    world.smmu.completeCommands(2);
    expect(world.see()).toEqual(['f10']);
  });

  it('does not move while it is enabled (§6.3.26, §6.3.28)', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.CMDQ_BASE, 0x100_0008, 0);
    world.smmu.writeRegister(REGISTER.CMDQ_BASE + 4, 1);
    world.smmu.writeRegister(REGISTER.CMDQ_CONS, 5);
    expect(world.smmu.readRegister(REGISTER.CMDQ_BASE + 4)).toBe(0);
    world.sync();
    expect(cons(world)).toEqual({ index: 1, error: 0 });
  });

  it('stops where a command cannot be fetched', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.CR0, 1);
    world.smmu.writeRegister(REGISTER.CMDQ_BASE, 0x100_0008, 0);
    world.smmu.writeRegister(REGISTER.CMDQ_PROD, 1);
    world.enable();
    expect(cons(world)).toEqual({ index: 0, error: COMMAND_ERROR.ABORT });
  });

  it('says how much the commands begun cover', () => {
    const { world } = attached();
    world.issue(tlbi('TLBI_NH_VA', { ASID: 6, Address: X }));
    expect(world.smmu.coveredByLastCommands).toBe(0);
    world.issue(tlbi('TLBI_NH_VA', { ASID: 5, Address: X }));
    expect(world.smmu.coveredByLastCommands).toBe(3);
  });

  it('has room for so many commands, and says so', () => {
    const { world } = attached({ commands: 2 });
    world.issue(SYNC, SYNC);
    expect(() => world.issue(SYNC)).toThrow(/outstanding/);
  });
});

describe('room for what is held', () => {
  it('is bounded, and says so', () => expect(() => attached({ entries: 3 })).toThrow(/capacity/));
});

describe('registers', () => {
  it('acknowledge at once, and state the features', () => {
    const { world } = attached();
    const read = (offset: number): number => world.smmu.readRegister(offset);
    expect(read(REGISTER.CR0ACK)).toBe(9);
    world.smmu.writeRegister(REGISTER.CR0, 9 | (0x1f << 4) | 2);
    expect(read(REGISTER.CR0ACK)).toBe(9);
    world.enable();
    world.smmu.writeRegister(REGISTER.IRQ_CTRL, 5);
    expect(read(REGISTER.IRQ_CTRLACK)).toBe(5);
    expect(
      featuresFromRegisters(read(REGISTER.IDR0), read(REGISTER.IDR1), read(REGISTER.IDR3), read(REGISTER.IDR5)),
    ).toEqual(FULL_FEATURES);
    expect(read(REGISTER.IIDR)).toBe(0);
    expect(read(0x2000)).toBe(0);
  });

  it('say whether broadcast invalidation is received (§6.3.12)', () => {
    const broadcast = (btm: boolean, ptm: number): string => {
      const world = new TestWorld([{ streamId: 1, substream: -1, va: X }], { btm });
      world.smmu.writeRegister(REGISTER.CR2, ptm);
      return world.smmu.broadcast;
    };
    expect([broadcast(false, 0), broadcast(true, 0), broadcast(true, 4)]).toEqual(['none', 'required', 'permitted']);
  });

  it('of the queue of page requests exist with it', () => {
    const slots = [{ streamId: 1, substream: -1, va: X }];
    for (const pri of [false, true]) {
      const world = new TestWorld(slots, { pri });
      world.smmu.writeRegister(REGISTER.PRIQ_BASE, 0x1000, 2);
      world.smmu.writeRegister(REGISTER.CR0, 2);
      world.smmu.writeRegister(REGISTER.PRIQ_BASE, 0x2000, 0);
      world.smmu.writeRegister(REGISTER.PRIQ_CONS, 3);
      const read = (offset: number): number => world.smmu.readRegister(offset);
      expect([
        read(REGISTER.PRIQ_BASE),
        read(REGISTER.PRIQ_BASE + 4),
        read(REGISTER.PRIQ_CONS),
        read(REGISTER.CR0ACK),
      ]).toEqual(pri ? [0x1000, 2, 3, 2] : [0, 0, 0, 0]);
    }
  });

  it('have two halves where they are 64 bits wide', () => {
    const { world } = attached();
    world.smmu.writeRegister(REGISTER.EVENTQ_BASE, 0x1000, 0x4000_0000);
    expect(world.smmu.readRegister(REGISTER.EVENTQ_BASE + 4)).toBe(0x4000_0000);
    world.smmu.writeRegister(REGISTER.EVENTQ_BASE + 4, 1);
    expect(world.smmu.readRegister(REGISTER.EVENTQ_BASE + 4)).toBe(1);
    world.smmu.writeRegister(REGISTER.STRTAB_BASE + 4, 2 ** 15);
    expect(world.see()).toContain('f3');
    world.smmu.writeRegister(REGISTER.CR1 + 0x1000, 7);
  });

  it('of QEMU 10.0 are understood', () => {
    const features = featuresFromRegisters(0x0d44_101b, 0x0273_0010, 0x1414, 0x74);
    expect(features).toEqual({
      oas: 44,
      granules: [12, 14, 16],
      asid16: true,
      vmid16: true,
      stage1: true,
      stage2: true,
      ats: false,
      pri: false,
      hyp: false,
      btm: false,
      fwb: false,
      xnx: true,
      ril: true,
      bbml: 2,
      stLevel: true,
      cd2l: false,
      sidSize: 16,
      ssidSize: 0,
      had: true,
      stt: false,
      permissionOverride: false,
      stallModel: 1,
      termModel: true,
    });
    const again = featureRegisters(features);
    expect(featuresFromRegisters(again.idr0, again.idr1, again.idr3, again.idr5)).toEqual(features);
    expect(featuresFromRegisters(0, 0, 0, 7)).toMatchObject({ oas: 52, granules: [], stage2: false });
  });
});
