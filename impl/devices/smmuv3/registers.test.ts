import { describe, expect, it } from 'vitest';
import { EVENT } from '../../../model/architecture/arm/layout/event.ts';
import { REGISTER } from '../../../model/architecture/arm/layout/register.ts';
import { World } from './testing/world.ts';

describe('registers', () => {
  it('identify the device', () => {
    const { device } = new World({
      oas: 44,
      ats: false,
      pri: false,
      hyp: false,
      stallModel: 1,
      ssidSize: 0,
      cd2l: false,
    });
    // As QEMU 10.0 states the same features, but for its TERM_MODEL (§6.3.1).
    expect(device.readRegister(REGISTER.IDR0)).toBe(0x0944_101b);
    expect(device.readRegister(REGISTER.IDR5)).toBe(0x74);
    expect(device.readRegister(REGISTER.IDR3)).toBe(0x1514);
    device.writeRegister(REGISTER.IDR0, 0);
    expect(device.readRegister(REGISTER.IDR0)).toBe(0x0944_101b);
  });

  it('acknowledge at once', () => {
    const { device } = new World();
    device.writeRegister(REGISTER.CR0, 0xffff);
    expect(device.readRegister(REGISTER.CR0ACK)).toBe(device.readRegister(REGISTER.CR0));
    expect(new World({ ats: false, pri: false, stage2: false }).device.readRegister(REGISTER.CR0)).toBe(0b1101);
  });

  it('are read-only while what they describe is in use', () => {
    const world = new World();
    const { device } = world;
    for (const offset of [REGISTER.STRTAB_BASE, REGISTER.CMDQ_BASE, REGISTER.EVENTQ_BASE, REGISTER.STRTAB_BASE_CFG]) {
      const before = device.readRegister(offset);
      device.writeRegister(offset, 0, 0);
      expect(device.readRegister(offset)).toBe(before);
      device.writeRegister(offset + 4, 1);
    }
    device.writeRegister(REGISTER.CMDQ_CONS, 3);
    expect(device.readRegister(REGISTER.CMDQ_CONS)).toBe(0);
    device.writeRegister(REGISTER.CR0, 0);
    device.writeRegister(REGISTER.STRTAB_BASE + 4, 1);
    expect(device.readRegister(REGISTER.STRTAB_BASE + 4)).toBe(1);
  });
});

describe('the event queue', () => {
  /** Makes a number of transactions fault. */
  function fault(world: World, count: number): void {
    for (let made = 0; made < count; made++) world.access(0x1000 * made, { streamId: 20 });
  }
  const OVERFLOW = 1 << 31;

  it('wraps, and is full when the wrap bits differ', () => {
    const world = new World();
    for (let round = 0; round < 5; round++) {
      fault(world, 3);
      expect(world.events()).toHaveLength(3);
    }
    fault(world, 4);
    expect(world.device.readRegister(REGISTER.EVENTQ_PROD) & OVERFLOW).toBe(0);
  });

  it('notes an overflow once until it is acknowledged', () => {
    const world = new World();
    const { device } = world;
    fault(world, 6);
    expect(device.readRegister(REGISTER.EVENTQ_PROD)).toBe(OVERFLOW | 4);
    device.writeRegister(REGISTER.EVENTQ_CONS, 1);
    fault(world, 3);
    expect(device.readRegister(REGISTER.EVENTQ_PROD)).toBe(OVERFLOW | 5);
    device.writeRegister(REGISTER.EVENTQ_CONS, OVERFLOW | 1);
    fault(world, 1);
    expect(device.readRegister(REGISTER.EVENTQ_PROD)).toBe(5);
  });

  it('takes nothing while it is disabled, and notes no overflow', () => {
    const world = new World();
    world.on({ EVENTQEN: 0 });
    fault(world, 9);
    expect(world.device.readRegister(REGISTER.EVENTQ_PROD)).toBe(0);
  });

  it('an aborted write is reported, the index stays, and nothing is written until it is acknowledged', () => {
    const world = new World();
    const { device, memory } = world;
    memory.end = 0x9_0000;
    fault(world, 2);
    expect(device.readRegister(REGISTER.GERROR)).toBe(4);
    memory.end = 2 ** 32;
    fault(world, 1);
    expect(device.readRegister(REGISTER.EVENTQ_PROD)).toBe(0);
    device.writeRegister(REGISTER.GERRORN, 4);
    fault(world, 1);
    expect(world.events()).toMatchObject([{ Event: EVENT.C_BAD_STREAMID }]);
  });
});
