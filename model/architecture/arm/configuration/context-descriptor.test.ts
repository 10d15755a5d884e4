import { describe, expect, it } from 'vitest';
import { decodeContextDescriptor } from './context-descriptor.ts';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { CD, TG0, TG1 } from '../layout/cd.ts';
import type { FieldValues } from '../layout/layout.ts';
import { FAULT_MODE } from '../outcomes/outcome.ts';
import type { StageOneEntry } from './stream-entry.ts';
import { cdLanes } from '../testing/world.ts';

const entry: StageOneEntry = {
  kind: 'stage1',
  contextPtr: 0,
  split: -1,
  cdMax: 0,
  s1dss: 0,
  vmid: 0,
  stallDisabled: false,
  override: 0,
  eats: 0,
  stage2: undefined,
};

function decode(
  values: FieldValues<typeof CD>,
  features: Partial<SmmuFeatures> = {},
  through: Partial<StageOneEntry> = {},
): ReturnType<typeof decodeContextDescriptor> {
  return decodeContextDescriptor({ ...FULL_FEATURES, ...features }, { ...entry, ...through }, cdLanes(values));
}

describe('what makes a CD ILLEGAL (§5.4.2)', () => {
  it('is legal as the tests write it', () => expect(decode({ ASID: 5 })).toMatchObject({ asid: 5, aset: 0 }));

  it.each([
    ['V = 0', { V: 0 }, {}],
    ['32-bit tables', { AA64: 0 }, {}],
    ['HA without HTTU', { HA: 1 }, {}],
    ['HD without HTTU', { HD: 1 }, {}],
    ['big-endian tables', { ENDI: 1 }, {}],
    ['A = 0 with TERM_MODEL', { A: 0 }, { termModel: true }],
    ['S = 1 without stalls', { S: 1 }, { stallModel: 1 }],
    ['S = 0 with forced stalls', { S: 0 }, { stallModel: 2 }],
    ['a 16-bit ASID with 8-bit tags', { ASID: 0x100 }, { asid16: false }],
    ['T0SZ below 16', { T0SZ: 15 }, {}],
    ['T0SZ above 39', { T0SZ: 40 }, {}],
    ['T0SZ above 48 with small tables', { T0SZ: 49 }, { stt: true }],
    ['T0SZ above 47 with small tables of 64 KiB', { T0SZ: 48, TG0: TG0.GRANULE_64K }, { stt: true }],
    ['a reserved TG0', { TG0: 3 }, {}],
    ['a reserved TG1', { EPD1: 0, TG1: 0 }, {}],
    ['a granule not implemented', { TG0: TG0.GRANULE_16K }, { granules: [12] }],
    ['TTB0 beyond IPS', { IPS: 0, TTB0: 2 ** 32 }, {}],
    ['TTB0 beyond OAS', { IPS: 5, TTB0: 2 ** 44 }, { oas: 44 }],
    ['TTB0 beyond 48 bits with small granules', { IPS: 6, TTB0: 2 ** 48 }, { oas: 52 }],
    ['TTB1 beyond IPS', { IPS: 0, EPD1: 0, TTB1: 2 ** 32 }, {}],
    ['T1SZ out of range', { EPD1: 0, T1SZ: 15 }, {}],
  ] as [string, FieldValues<typeof CD>, Partial<SmmuFeatures>][])('%s', (_why, values, features) => {
    expect(decode(values, features)).toBeUndefined();
  });

  it('S = 1 where the STE disables stalls', () => {
    expect(decode({ S: 1 }, {}, { stallDisabled: true })).toBeUndefined();
    expect(decode({ S: 0 }, {}, { stallDisabled: true })).toBeDefined();
  });

  it('does not look at what EPDx disables', () => {
    expect(decode({ EPD1: 1, T1SZ: 0, TG1: 0, TTB1: 2 ** 51 })?.tables[1]).toBeUndefined();
    expect(decode({ EPD0: 1, T0SZ: 0, TG0: 3, TTB0: 2 ** 51, EPD1: 0 })?.tables[0]).toBeUndefined();
    expect(decode({ EPD0: 1, EPD1: 1, ENDI: 1 })).toBeDefined();
  });

  it('permits what the same checks allow', () => {
    expect(decode({ T0SZ: 48 }, { stt: true })).toBeDefined();
    expect(decode({ T0SZ: 47, TG0: TG0.GRANULE_64K }, { stt: true })).toBeDefined();
    expect(decode({ IPS: 6, TTB0: 2 ** 48, TG0: TG0.GRANULE_64K }, { oas: 52 })).toBeDefined();
  });
});

describe('what a CD says', () => {
  it.each([
    ['A = 1 with TERM_MODEL', { A: 1 }, { termModel: true }],
    ['the largest 8-bit ASID', { ASID: 0xff }, { asid16: false }],
    ['a 16-bit ASID with 16-bit tags', { ASID: 0x100 }, {}],
    ['S = 0 without stalls', { S: 0 }, { stallModel: 1 }],
    ['S = 1 with forced stalls', { S: 1 }, { stallModel: 2 }],
  ] as [string, FieldValues<typeof CD>, Partial<SmmuFeatures>][])('%s is legal', (_why, values, features) => {
    expect(decode(values, features)).toBeDefined();
  });

  it.each([
    ['AFFD', 'affd'],
    ['WXN', 'wxn'],
    ['PAN', 'pan'],
  ] as const)('%s holds for both halves', (field, name) => {
    for (const value of [0, 1]) {
      const tables = decode({ [field]: value, EPD1: 0 })?.tables;
      expect(tables?.map((table) => table?.interpretation[name])).toEqual([value === 1, value === 1]);
    }
  });

  it('aligns the smallest tables to 16 bytes, and to 64 where TTBx has bits of 52', () => {
    const smallest = { T0SZ: 47, TG0: TG0.GRANULE_64K, TTB0: 0x12_3470 };
    expect(decode({ ...smallest, IPS: 6 }, { oas: 52, stt: true })?.tables[0]?.address).toBe(0x12_3440);
    expect(decode({ ...smallest, IPS: 5 }, { oas: 52, stt: true })?.tables[0]?.address).toBe(0x12_3470);
  });

  it('maps A, R and S to the end of a fault (§5.5)', () => {
    const mode = (A: number, R: number, S: number): number | undefined => decode({ A, R, S })?.faultMode;
    expect(mode(1, 1, 0)).toBe(FAULT_MODE.ABORT_RECORD);
    expect(mode(1, 0, 0)).toBe(FAULT_MODE.ABORT_SILENT);
    expect(mode(0, 1, 0)).toBe(FAULT_MODE.RAZWI_RECORD);
    expect(mode(0, 0, 0)).toBe(FAULT_MODE.RAZWI_SILENT);
    expect(mode(0, 0, 1)).toBe(FAULT_MODE.STALL);
  });

  it('starts walks at the level that the input size needs, in a table aligned to its size', () => {
    const tables = decode({ T0SZ: 16, TTB0: 0x12_3450, EPD1: 0, T1SZ: 25, TG1: TG1.GRANULE_16K, TTB1: 0x12_3450 });
    expect(tables?.tables[0]).toMatchObject({ level: 0, address: 0x12_3000, interpretation: { inputBits: 48 } });
    expect(tables?.tables[1]).toMatchObject({ level: 1, address: 0x12_3440, interpretation: { granule: 14 } });
    const wide = decode({ T0SZ: 34, TTB0: 0x12_3470, IPS: 6 }, { oas: 52 });
    expect(wide?.tables[0]).toMatchObject({ level: 2, address: 0x12_3000 });
    const tiny = decode({ T0SZ: 48, TTB0: 0x12_3470, IPS: 6 }, { oas: 52, stt: true });
    expect(tiny?.tables[0]).toMatchObject({ level: 3, address: 0x12_3400 });
  });

  it('honours HADx only where implemented', () => {
    expect(decode({ HAD0: 1 })?.tables[0]?.interpretation.had).toBe(true);
    expect(decode({ HAD0: 1 }, { had: false })?.tables[0]?.interpretation.had).toBe(false);
    expect(decode({ HAD1: 1, EPD1: 0 })?.tables[1]?.interpretation.had).toBe(true);
  });

  it('has TBI for each half', () => {
    const tables = decode({ TBI0: 1, EPD1: 0 })?.tables;
    expect(tables?.map((table) => table?.interpretation.tbi)).toEqual([true, false]);
    expect(decode({ TBI1: 1, EPD1: 0 })?.tables[1]?.interpretation.tbi).toBe(true);
  });
});
