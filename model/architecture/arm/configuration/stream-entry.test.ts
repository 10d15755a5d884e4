import { describe, expect, it } from 'vitest';
import { FULL_FEATURES, type SmmuFeatures } from '../layout/features.ts';
import { EVENT } from '../layout/event.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { STE, STREAM_TABLE_L1 } from '../layout/ste.ts';
import {
  decodeStreamEntry,
  l1CdAddress,
  linearCdAddress,
  selectSubstream,
  steFromL1,
  type StageOneEntry,
  type StreamEntry,
} from './stream-entry.ts';

function decode(values: FieldValues<typeof STE>, features: Partial<SmmuFeatures> = {}): StreamEntry {
  const usual = { V: 1, Config: 5, S1ContextPtr: 0x2_0000 };
  return decodeStreamEntry({ ...FULL_FEATURES, ...features }, encode(STE, { ...usual, ...values }));
}

function stage1(values: FieldValues<typeof STE>, features: Partial<SmmuFeatures> = {}): StageOneEntry {
  const entry = decode(values, features);
  if (entry.kind !== 'stage1') throw new Error(`the STE is ${entry.kind}`);
  return entry;
}

describe('validity of an STE (§5.2.2)', () => {
  it.each([
    ['V = 0', { V: 0 }, {}, 'illegal'],
    ['Config 0', { Config: 0 }, {}, 'abort'],
    ['Config 3 (reserved)', { Config: 3 }, {}, 'abort'],
    ['Config 4', { Config: 4 }, {}, 'bypass'],
    ['Config 4 ignores S1 fields', { Config: 4, S1CDMax: 31, S1STALLD: 1 }, { stallModel: 1 }, 'bypass'],
    ['Config 5', {}, {}, 'stage1'],
    ['Config 5 without stage 1', {}, { stage1: false }, 'illegal'],
    ['STRW 1', { STRW: 1 }, { hyp: true }, 'illegal'],
    ['STRW 2', { STRW: 2 }, { hyp: true }, 'el2'],
    ['STRW 2 ignores S2VMID', { STRW: 2, S2VMID: 0x100 }, { hyp: true, vmid16: false }, 'el2'],
    ['STRW 0 does not', { S2VMID: 0x100 }, { hyp: true, vmid16: false }, 'illegal'],
    ['STRW 2 checks stage 1', { STRW: 2, S1CDMax: 11 }, { hyp: true }, 'illegal'],
    ['STRW without EL2', { STRW: 1 }, {}, 'stage1'],
    ['split-stage ATS without stage 2', { EATS: 2 }, { ats: true }, 'illegal'],
    ['split-stage ATS without ATS', { EATS: 2 }, {}, 'stage1'],
    ['bypass ignores EATS', { Config: 4, EATS: 2 }, { ats: true }, 'bypass'],
    ['stage 1 ignores S2S', { EATS: 1, S2S: 1 }, { ats: true }, 'stage1'],
    ['S1STALLD where stalls cannot be chosen', { S1STALLD: 1 }, { stallModel: 1 }, 'illegal'],
    ['S1STALLD where they can', { S1STALLD: 1 }, {}, 'stage1'],
    ['S1STALLD = 0 where stalls cannot be chosen', {}, { stallModel: 1 }, 'stage1'],
    ['S1CDMax beyond SSIDSIZE', { S1CDMax: 11 }, {}, 'illegal'],
    ['S1CDMax without substreams', { S1CDMax: 11 }, { ssidSize: 0 }, 'stage1'],
    ['two-level CDs not implemented', { S1CDMax: 8, S1Fmt: 1 }, { cd2l: false }, 'illegal'],
    ['S1Fmt without substreams', { S1Fmt: 1 }, { cd2l: false }, 'stage1'],
    ['reserved S1Fmt is linear', { S1CDMax: 8, S1Fmt: 3 }, { cd2l: false }, 'stage1'],
    ['S1ContextPtr beyond OAS', { S1ContextPtr: 2 ** 44 }, { oas: 44 }, 'illegal'],
    ['a 16-bit VMID with 8-bit tags', { S2VMID: 0x100 }, { vmid16: false }, 'illegal'],
    ['the largest 8-bit VMID', { S2VMID: 0xff }, { vmid16: false }, 'stage1'],
    ['a VMID without stage 2', { S2VMID: 0x100 }, { vmid16: false, stage2: false }, 'stage1'],
  ] as [string, FieldValues<typeof STE>, Partial<SmmuFeatures>, string][])('%s', (_why, values, features, kind) => {
    expect(decode(values, features).kind).toBe(kind);
  });

  it('takes VMID and overrides only where they have a meaning', () => {
    expect(stage1({ S2VMID: 7, PRIVCFG: 2, INSTCFG: 3 })).toMatchObject({ vmid: 7, override: 2 | (3 << 2) });
    expect(stage1({ S2VMID: 7 }, { stage2: false }).vmid).toBe(0);
    expect(stage1({ PRIVCFG: 2 }, { permissionOverride: false }).override).toBe(0);
    expect([stage1({}).stallDisabled, stage1({ S1STALLD: 1 }).stallDisabled]).toEqual([false, true]);
  });
});

describe('selection by SubstreamID and S1DSS', () => {
  const event = (number: number): object => ({ kind: 'event', event: number });
  it.each([
    ['none, substreams off', {}, -1, { kind: 'cd', index: 0 }],
    ['given, substreams off', {}, 0, event(EVENT.C_BAD_SUBSTREAMID)],
    ['given', { S1CDMax: 3 }, 7, { kind: 'cd', index: 7 }],
    ['beyond S1CDMax', { S1CDMax: 3 }, 8, event(EVENT.C_BAD_SUBSTREAMID)],
    ['none, S1DSS terminates', { S1CDMax: 3, S1DSS: 0 }, -1, event(EVENT.F_STREAM_DISABLED)],
    ['none, S1DSS reserved', { S1CDMax: 3, S1DSS: 3 }, -1, event(EVENT.F_STREAM_DISABLED)],
    ['none, S1DSS bypasses', { S1CDMax: 3, S1DSS: 1 }, -1, { kind: 'bypass' }],
    ['none, S1DSS uses 0', { S1CDMax: 3, S1DSS: 2 }, -1, { kind: 'cd', index: 0 }],
    ['0, which S1DSS has taken', { S1CDMax: 3, S1DSS: 2 }, 0, event(EVENT.F_STREAM_DISABLED)],
    ['0, not taken', { S1CDMax: 3, S1DSS: 1 }, 0, { kind: 'cd', index: 0 }],
  ] as [string, FieldValues<typeof STE>, number, object][])('%s', (_why, values, substream, choice) => {
    expect(selectSubstream(stage1(values), substream)).toEqual(choice);
  });
});

describe('tables of CDs', () => {
  it('are aligned to their size', () => {
    const entry = stage1({ S1CDMax: 6, S1ContextPtr: 0x2_0040 });
    expect(linearCdAddress(entry, 5)).toBe(0x2_0000 + 5 * 64);
    const l1 = stage1({ S1CDMax: 10, S1Fmt: 1, S1ContextPtr: 0x2_0040 });
    expect(l1.split).toBe(6);
    expect(l1CdAddress(l1, 130)).toBe(0x2_0000 + 2 * 8);
    const l1of64 = stage1({ S1CDMax: 3, S1Fmt: 2, S1ContextPtr: 0x2_0040 });
    expect(l1of64.split).toBe(10);
    expect(l1CdAddress(l1of64, 7)).toBe(0x2_0040);
  });
});

describe('two-level stream tables (§5.1)', () => {
  const lead = (Span: number, streamId: number, L2Ptr = 0x5_0040): number | undefined => {
    const [low, high] = encode(STREAM_TABLE_L1, { Span, L2Ptr });
    return steFromL1(low as number, high as number, streamId, 6);
  };
  it('are aligned to the span', () => {
    expect(lead(1, 64)).toBe(0x5_0040);
    expect(lead(3, 66)).toBe(0x5_0000 + 2 * 64);
    expect(lead(7, 127)).toBe(0x5_0000 + 63 * 64);
  });
  it('refuse what lies outside', () => {
    expect(lead(0, 64)).toBeUndefined();
    expect(lead(8, 64)).toBeUndefined();
    expect(lead(12, 64)).toBeUndefined();
    expect(lead(3, 68)).toBeUndefined();
  });
});
