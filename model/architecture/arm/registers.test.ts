import { describe, expect, it } from 'vitest';
import { Store } from '../../../engine/store.ts';
import { featuresFromRegisters, FULL_FEATURES, type SmmuFeatures } from './layout/features.ts';
import { REGISTER } from './layout/register.ts';
import { Registers } from './registers.ts';

function registers(features: Partial<SmmuFeatures> = {}): Registers {
  return new Registers(new Store(), { ...FULL_FEATURES, ...features });
}

const NARROW = ['CR1', 'IRQ_CTRL', 'GERRORN', 'STRTAB_BASE_CFG', 'CMDQ_PROD', 'EVENTQ_CONS'] as const;
const WIDE = ['STRTAB_BASE', 'CMDQ_BASE', 'EVENTQ_BASE', 'PRIQ_BASE'] as const;

describe('registers', () => {
  it('keep their values apart, all 32 bits of them', () => {
    const made = registers({ pri: true });
    for (const [at, name] of [...NARROW, ...WIDE].entries()) made.write(REGISTER[name], -1 - at);
    expect([...NARROW, ...WIDE].map((name) => made.read(REGISTER[name]))).toEqual(
      [...NARROW, ...WIDE].map((_name, at) => -1 - at),
    );
    for (const name of WIDE) expect(made.read(REGISTER[name] + 4)).toBe(0);
  });

  it.each(WIDE)('%s is written as a whole or by halves, each of which leaves the other alone', (name) => {
    const made = registers({ pri: true });
    made.write(REGISTER[name], 1, 2);
    expect(made.lanes(REGISTER[name])).toEqual([1, 2]);
    made.write(REGISTER[name], 3);
    expect(made.lanes(REGISTER[name])).toEqual([3, 2]);
    made.write(REGISTER[name] + 4, 4);
    expect(made.lanes(REGISTER[name])).toEqual([3, 4]);
    expect([made.read(REGISTER[name]), made.read(REGISTER[name] + 4)]).toEqual([3, 4]);
  });

  it.each(['CR2', 'GERRORN', 'STRTAB_BASE_CFG'] as const)('%s has no other half', (name) => {
    const made = registers();
    made.write(REGISTER[name], 5);
    made.write(REGISTER[name] + 4, 7);
    expect(made.lanes(REGISTER[name])).toEqual([5, 0]);
    expect(made.read(REGISTER[name] + 4)).toBe(0);
  });

  it('GBPA alone loses a bit: UPDATE, as soon as the update is made', () => {
    const made = registers();
    made.write(REGISTER.GBPA, 0x8010_0000);
    expect(made.read(REGISTER.GBPA)).toBe(0x10_0000);
  });
});

describe('features', () => {
  const FLAGS = [
    'asid16',
    'vmid16',
    'stage1',
    'stage2',
    'ats',
    'pri',
    'hyp',
    'btm',
    'fwb',
    'xnx',
    'ril',
    'stLevel',
    'cd2l',
    'had',
    'stt',
    'permissionOverride',
    'termModel',
  ] as const;

  it.each(FLAGS)('%s has a bit of its own', (flag) => {
    const without = { ...FULL_FEATURES, ...Object.fromEntries(FLAGS.map((other) => [other, false])) };
    for (const features of [without, { ...without, [flag]: true }]) {
      const { idr0, idr1, idr3, idr5 } = constants(features);
      expect(featuresFromRegisters(idr0, idr1, idr3, idr5)).toEqual(features);
    }
  });

  function constants(features: SmmuFeatures): Record<'idr0' | 'idr1' | 'idr3' | 'idr5', number> {
    const made = registers(features);
    const { IDR0, IDR1, IDR3, IDR5 } = REGISTER;
    return { idr0: made.read(IDR0), idr1: made.read(IDR1), idr3: made.read(IDR3), idr5: made.read(IDR5) };
  }
});
