import { describe, expect, it } from 'vitest';
import { CD } from '../../../../model/architecture/arm/layout/cd.ts';
import type { FieldValues } from '../../../../model/architecture/arm/layout/layout.ts';
import { STE } from '../../../../model/architecture/arm/layout/ste.ts';
import type { SmmuFeatures } from '../../../../model/architecture/arm/layout/features.ts';
import { cd, FULL, ste } from '../testing/world.ts';
import { decodeContextDescriptor } from './context-descriptor.ts';
import { decodeStreamEntry, type StreamEntry } from './stream-entry.ts';

function legal(values: FieldValues<typeof STE>, features: Partial<SmmuFeatures> = {}): boolean {
  return decodeStreamEntry({ ...FULL, ...features }, false, ste(values)) !== undefined;
}

describe('validity of STEs (§5.2.2)', () => {
  it.each<[string, FieldValues<typeof STE>, Partial<SmmuFeatures>]>([
    ['V = 0', { V: 0, Config: 4 }, {}],
    ['stage 1 that is not there', { Config: 5 }, { stage1: false }],
    ['stage 2 that is not there', { Config: 6 }, { stage2: false }],
    ['nesting without stage 2', { Config: 7 }, { stage2: false }],
    ['a reserved STRW', { Config: 5, STRW: 1 }, {}],
    ['S1STALLD where the model is fixed', { Config: 5, S1STALLD: 1 }, { stallModel: 1 }],
    ['S1CDMax beyond SSIDSIZE', { Config: 5, S1CDMax: 11 }, {}],
    ['two levels without CD2L', { Config: 5, S1CDMax: 4, S1Fmt: 2 }, { cd2l: false }],
    ['S1ContextPtr beyond the output size', { Config: 5, S1ContextPtr: 2 ** 48 }, {}],
    ['a VMID of 16 bits', { Config: 5, S2VMID: 0x100 }, { vmid16: false }],
    ['S2S without stalls', { Config: 6, S2S: 1 }, { stallModel: 1 }],
    ['S2S = 0 where stalls are forced', { Config: 6 }, { stallModel: 2 }],
    ['VMSAv8-32', { Config: 6, S2AA64: 0 }, {}],
    ['big-endian tables', { Config: 6, S2ENDI: 1 }, {}],
    ['S2HA without HTTU', { Config: 6, S2HA: 1 }, {}],
    ['S2HD without HTTU', { Config: 6, S2HD: 1 }, {}],
    ['a reserved S2TG', { Config: 6, S2TG: 3 }, {}],
    ['an S2TG that is not there', { Config: 6, S2TG: 1, S2SL0: 1 }, { granules: [12] }],
    ['S2TTB beyond S2PS', { Config: 6, S2PS: 0, S2TTB: 2 ** 32 }, {}],
    ['S2TTB beyond 48 bits with 4 KiB', { Config: 6, S2PS: 6, S2TTB: 2 ** 48 }, { oas: 52 }],
    ['S2T0SZ below 64 - IAS', { Config: 6, S2T0SZ: 16, S2SL0: 2 }, { oas: 44 }],
    ['S2T0SZ above 39', { Config: 6, S2T0SZ: 40, S2SL0: 0 }, {}],
    ['a start level that the range does not reach', { Config: 6, S2T0SZ: 34, S2SL0: 1 }, {}],
    ['more than 16 concatenated tables', { Config: 6, S2T0SZ: 25, S2SL0: 0 }, {}],
    ['level 0 with outputs below 44 bits', { Config: 6, S2T0SZ: 24, S2SL0: 2 }, { oas: 42 }],
    ['S2SL0 = 3 without small tables', { Config: 6, S2T0SZ: 39, S2SL0: 3 }, {}],
    ['split-stage ATS without nesting', { Config: 5, EATS: 2 }, {}],
    ['split-stage ATS with stalls', { Config: 7, EATS: 2, S2S: 1 }, {}],
    ['full ATS with stalls of stage 2', { Config: 6, EATS: 1, S2S: 1 }, {}],
  ])('%s', (_, values, features) => {
    expect(legal(values, features)).toBe(false);
  });

  it.each<[string, FieldValues<typeof STE>, Partial<SmmuFeatures>]>([
    ['Config 0 to 3 are abort, whatever else is set', { Config: 2, STRW: 3, S2ENDI: 1 }, {}],
    ['bypass looks at neither stage', { Config: 4, S1CDMax: 31, S2TG: 3, EATS: 2 }, {}],
    ['stage 2 ignores stage 1 fields', { Config: 6, S1CDMax: 31, STRW: 3, S1STALLD: 1 }, { stallModel: 0 }],
    ['stage 1 ignores stage 2 fields', { Config: 5, S2TG: 3, S2S: 1, S2T0SZ: 0 }, {}],
    ['16 concatenated tables', { Config: 6, S2T0SZ: 30, S2SL0: 0 }, {}],
    ['the VMID counts for nothing in EL2', { Config: 5, STRW: 2, S2VMID: 0x100 }, { vmid16: false }],
    ['S1CDMax without substreams', { Config: 5, S1CDMax: 4, S1Fmt: 1 }, { ssidSize: 0 }],
    ['EATS without ATS', { Config: 5, EATS: 2 }, { ats: false }],
    ['small tables', { Config: 6, S2T0SZ: 48, S2SL0: 3 }, { stt: true }],
  ])('legal: %s', (_, values, features) => {
    expect(legal(values, features)).toBe(true);
  });

  it.each([
    [0, 0, 34, 2, 9],
    [0, 1, 25, 1, 9],
    [0, 2, 16, 0, 9],
    [2, 1, 33, 2, 6],
    [1, 0, 39, 3, 9],
    [1, 1, 28, 2, 7],
  ])('S2TG %i, S2SL0 %i, S2T0SZ %i: level %i, %i bits of index', (S2TG, S2SL0, S2T0SZ, level, indexBits) => {
    const entry = decodeStreamEntry(FULL, false, ste({ Config: 6, S2TG, S2SL0, S2T0SZ })) as StreamEntry;
    expect(entry.stageTwo?.table).toMatchObject({ level, indexBits });
  });
});

describe('validity of CDs (§5.4.2)', () => {
  const streamOne = decodeStreamEntry(FULL, false, ste({ Config: 5 })) as StreamEntry;
  const stallDisabled = decodeStreamEntry(FULL, false, ste({ Config: 5, S1STALLD: 1 })) as StreamEntry;

  function legalCd(values: FieldValues<typeof CD>, features: Partial<SmmuFeatures> = {}, entry = streamOne): boolean {
    return decodeContextDescriptor({ ...FULL, ...features }, entry, cd(values)) !== undefined;
  }

  it.each<[string, FieldValues<typeof CD>, Partial<SmmuFeatures>, StreamEntry?]>([
    ['V = 0', { V: 0 }, {}],
    ['S where the STE forbids stalls', { S: 1 }, {}, stallDisabled],
    ['S without stalls', { S: 1 }, { stallModel: 1 }],
    ['S = 0 where stalls are forced', {}, { stallModel: 2 }],
    ['A = 0 where only aborts are there', { A: 0 }, { termModel: true }],
    ['VMSAv8-32', { AA64: 0 }, {}],
    ['HA without HTTU', { HA: 1 }, {}],
    ['HD without HTTU', { HD: 1 }, {}],
    ['big-endian tables', { ENDI: 1 }, {}],
    ['an ASID of 16 bits', { ASID: 0x100 }, { asid16: false }],
    ['T0SZ below 16', { T0SZ: 15 }, {}],
    ['T0SZ above 39', { T0SZ: 40 }, {}],
    ['T0SZ above 47 with 64 KiB', { T0SZ: 48, TG0: 1 }, { stt: true }],
    ['a reserved TG0', { TG0: 3 }, {}],
    ['a reserved TG1 that is in use', { EPD1: 0, T1SZ: 25, TG1: 0 }, {}],
    ['TTB0 beyond IPS', { IPS: 0, TTB0: 2 ** 32 }, {}],
    ['TTB1 beyond IPS', { EPD1: 0, T1SZ: 25, IPS: 0, TTB1: 2 ** 32 }, {}],
  ])('%s', (_, values, features, entry) => {
    expect(legalCd(values, features, entry)).toBe(false);
  });

  it('a half that is disabled is not looked at', () => {
    expect(legalCd({ EPD0: 1, T0SZ: 0, TG0: 3, ENDI: 1, TG1: 0 })).toBe(true);
    const context = decodeContextDescriptor(FULL, streamOne, cd({ EPD0: 1 }));
    expect(context).toMatchObject({ low: undefined, high: undefined });
  });

  it('tables are aligned to their size', () => {
    const { low } = decodeContextDescriptor(FULL, streamOne, cd({ T0SZ: 25, TTB0: 0x1_2340 })) ?? {};
    expect(low).toMatchObject({ level: 1, indexBits: 9, table: 0x1_2000 });
    const small = decodeContextDescriptor(FULL, streamOne, cd({ T0SZ: 33, TTB0: 0x1_2340 }))?.low;
    expect(small).toMatchObject({ level: 1, indexBits: 1, table: 0x1_2340 });
  });
});
