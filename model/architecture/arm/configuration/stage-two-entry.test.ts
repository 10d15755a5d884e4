import { describe, expect, it } from 'vitest';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { EATS, STE } from '../layout/ste.ts';
import { FAULT_MODE } from '../outcomes/outcome.ts';
import { decodeStreamEntry, type StreamEntry } from './stream-entry.ts';

type Values = FieldValues<typeof STE>;

/** Stage 2 only, 4 KiB granule, 40-bit IPAs from level 1 with two concatenated tables. */
const USUAL: Values = { V: 1, Config: 6, S2VMID: 3, S2AA64: 1, S2T0SZ: 24, S2SL0: 1, S2PS: 5, S2TTB: 0x4_0000, S2R: 1 };

function decode(values: Values, features: Partial<SmmuFeatures> = {}): StreamEntry {
  return decodeStreamEntry({ ...FULL_FEATURES, ...features }, encode(STE, { ...USUAL, ...values }));
}

describe('validity of the stage 2 fields of an STE (§5.2.2)', () => {
  it.each([
    ['as usual', {}, {}, 'stage2'],
    ['nested', { Config: 7 }, {}, 'stage1'],
    ['without stage 2', {}, { stage2: false }, 'illegal'],
    ['nested without stage 1', { Config: 7 }, { stage1: false }, 'illegal'],
    ['alone without stage 1', {}, { stage1: false }, 'stage2'],
    ['VMSAv8-32 tables', { S2AA64: 0 }, {}, 'illegal'],
    ['big-endian tables', { S2ENDI: 1 }, {}, 'illegal'],
    ['S2HA', { S2HA: 1 }, {}, 'illegal'],
    ['S2HD', { S2HD: 1 }, {}, 'illegal'],
    ['S2S where nothing stalls', { S2S: 1 }, { stallModel: 1 }, 'illegal'],
    ['no S2S where everything stalls', {}, { stallModel: 2 }, 'illegal'],
    ['a reserved granule', { S2TG: 3 }, {}, 'illegal'],
    ['an unsupported granule', { S2TG: 2, S2SL0: 2 }, { granules: [12, 16] }, 'illegal'],
    ['a 16-bit VMID with 8-bit tags', { S2VMID: 0x100 }, { vmid16: false }, 'illegal'],
    ['S2TTB beyond S2PS', { S2PS: 0, S2TTB: 2 ** 32 }, {}, 'illegal'],
    ['S2TTB within S2PS', { S2PS: 1, S2TTB: 2 ** 32 }, {}, 'stage2'],
    ['S2TTB beyond OAS, whatever S2PS', { S2PS: 7, S2TTB: 2 ** 44 }, { oas: 44 }, 'illegal'],
    ['S2TTB beyond 48 bits with 4 KiB tables', { S2PS: 6, S2TTB: 2 ** 48 }, { oas: 52 }, 'illegal'],
    ['S2TTB beyond 48 bits with 64 KiB tables', { S2TG: 1, S2PS: 6, S2TTB: 2 ** 48 }, { oas: 52 }, 'stage2'],
    ['EL2 is ignored where stage 2 is on', { Config: 7, STRW: 1 }, { hyp: true }, 'stage1'],
    ['S1ContextPtr beyond the IPA size may fault at stage 2', { Config: 7, S1ContextPtr: 2 ** 50 }, {}, 'stage1'],
  ] as [string, Values, Partial<SmmuFeatures>, string][])('%s', (_why, values, features, kind) => {
    expect(decode(values, features).kind).toBe(kind);
  });

  it.each([
    ['none', { EATS: 0, S2S: 1 }, 'stage2'],
    ['full', { EATS: 1 }, 'stage2'],
    ['full with stalls', { EATS: 1, S2S: 1 }, 'illegal'],
    ['split, stage 2 only', { EATS: 2 }, 'illegal'],
    ['split, nested', { EATS: 2, Config: 7 }, 'stage1'],
    ['split with stalls', { EATS: 2, Config: 7, S2S: 1 }, 'illegal'],
    ['device permission table', { EATS: 3, S2S: 1 }, 'stage2'],
  ] as [string, Values, string][])('EATS: %s', (_why, values, kind) => {
    expect(decode(values, { ats: true }).kind).toBe(kind);
    // Without ATS the field is ignored.
    expect(decode(values).kind).not.toBe('illegal');
  });

  it('says which ATS there is', () => {
    const eats = (values: Values, ats = true): unknown => {
      const entry = decode(values, { ats });
      return 'eats' in entry ? entry.eats : undefined;
    };
    expect(eats({ EATS: 1 })).toBe(EATS.FULL);
    expect(eats({ EATS: 2, Config: 7 })).toBe(EATS.SPLIT_STAGE);
    expect(eats({ EATS: 3 })).toBe(EATS.NONE);
    expect(eats({ EATS: 1 }, false)).toBe(EATS.NONE);
  });
});

describe('start level and size of stage 2 (Arm ARM D8.2)', () => {
  // For each granule: S2SL0, level, smallest and largest T0SZ that fit (without small tables, OAS 48).
  it.each([
    [0, 0, 2, 30, 39],
    [0, 1, 1, 21, 33],
    [0, 2, 0, 16, 24],
    [2, 0, 3, 35, 39],
    [2, 1, 2, 24, 38],
    [2, 2, 1, 16, 27],
    [1, 0, 3, 31, 39],
    [1, 1, 2, 18, 34],
    [1, 2, 1, 16, 21],
  ])('S2TG %i, S2SL0 %i: level %i for T0SZ %i to %i', (S2TG, S2SL0, level, first, last) => {
    for (let S2T0SZ = 10; S2T0SZ < 50; S2T0SZ++) {
      const entry = decode({ S2TG, S2SL0, S2T0SZ, S2TTB: 0 });
      if (S2T0SZ < first || S2T0SZ > last) expect(entry.kind).toBe('illegal');
      else expect(entry).toMatchObject({ stage2: { table: { level, interpretation: { inputBits: 64 - S2T0SZ } } } });
    }
  });

  it.each([
    ['4 KiB, level 3 without small tables', { S2SL0: 3, S2T0SZ: 39 }, {}, 'illegal'],
    ['4 KiB, level 3', { S2SL0: 3, S2T0SZ: 42 }, { stt: true }, 'stage2'],
    ['4 KiB, level 0 with few address bits', { S2SL0: 2, S2T0SZ: 24 }, { oas: 42 }, 'illegal'],
    ['16 KiB, level 1 with few address bits', { S2TG: 2, S2SL0: 2, S2T0SZ: 27 }, { oas: 40 }, 'illegal'],
    ['16 KiB, level 1', { S2TG: 2, S2SL0: 2, S2T0SZ: 27 }, { oas: 42 }, 'stage2'],
    ['64 KiB, level 1 with few address bits', { S2TG: 1, S2SL0: 2, S2T0SZ: 21 }, { oas: 43 }, 'illegal'],
    ['16 KiB, level 0', { S2TG: 2, S2SL0: 3, S2T0SZ: 16 }, {}, 'illegal'],
    ['64 KiB, reserved', { S2TG: 1, S2SL0: 3, S2T0SZ: 21 }, {}, 'illegal'],
    ['an IPA size beyond IAS', { S2T0SZ: 23 }, { oas: 40 }, 'illegal'],
    ['an IPA size of IAS', {}, { oas: 40 }, 'stage2'],
    ['52-bit IPAs with 64 KiB tables', { S2TG: 1, S2SL0: 2, S2T0SZ: 12 }, { oas: 52 }, 'stage2'],
    ['52-bit IPAs with 4 KiB tables', { S2SL0: 2, S2T0SZ: 15 }, { oas: 52 }, 'illegal'],
    ['small 64 KiB tables', { S2TG: 1, S2SL0: 0, S2T0SZ: 48 }, { stt: true }, 'illegal'],
  ] as [string, Values, Partial<SmmuFeatures>, string][])('%s', (_why, values, features, kind) => {
    expect(decode({ S2TTB: 0, ...values }, features).kind).toBe(kind);
  });

  it('aligns S2TTB to all concatenated tables', () => {
    const address = (values: Values, oas = 48): unknown => {
      const entry = decode(values, { oas });
      return 'stage2' in entry ? entry.stage2?.table.address : undefined;
    };
    // Sixteen tables of 4 KiB, two tables, and less than one.
    expect(address({ S2T0SZ: 21, S2TTB: 0x7_f000 })).toBe(0x7_0000);
    expect(address({ S2T0SZ: 24, S2TTB: 0x7_f000 })).toBe(0x7_e000);
    expect(address({ S2T0SZ: 32, S2TTB: 0x7_f030 })).toBe(0x7_f020);
    expect(address({ S2TG: 1, S2T0SZ: 34, S2TTB: 0x7_f0f0, S2PS: 6 }, 52)).toBe(0x7_f0c0);
  });
});

describe('the end of stage 2 faults (§5.5)', () => {
  it.each([
    [{ S2S: 0, S2R: 0 }, FAULT_MODE.ABORT_SILENT],
    [{ S2S: 0, S2R: 1 }, FAULT_MODE.ABORT_RECORD],
    [{ S2S: 1, S2R: 0 }, FAULT_MODE.STALL],
  ])('%o', (values, faultMode) => {
    expect(decode(values)).toMatchObject({ stage2: { faultMode, vmid: 3 } });
  });

  it('S2PTW, S2FWB and S2AFFD are part of what descriptors mean', () => {
    const meaning = (values: Values, features = {}): unknown => {
      const entry = decode(values, features);
      return 'stage2' in entry ? entry.stage2?.table.interpretation : undefined;
    };
    expect(meaning({ S2PTW: 1 })).toMatchObject({ stage2: { ptw: true, fwb: false, xnx: true }, affd: false });
    expect(meaning({ S2FWB: 1 }, { fwb: true, xnx: false })).toMatchObject({ stage2: { fwb: true, xnx: false } });
    expect(meaning({ S2FWB: 1 })).toMatchObject({ stage2: { fwb: false } });
    expect(meaning({ S2AFFD: 1 })).toMatchObject({ affd: true });
  });
});
