import { describe, expect, it } from 'vitest';
import { allows, eventRecord, resultOf, sameResult, type Access, type AccessResult } from './event-record.ts';
import { EVENT, EVENT_RECORD } from '../layout/event.ts';
import { decode } from '../layout/layout.ts';
import { FAULT_MODE, OutcomeTable, PERMISSION } from './outcome.ts';

const outcomes = new OutcomeTable();
const slot = { streamId: 9, substream: -1, va: 2 ** 64 - 4096 };
const within = { ...slot, substream: 3 };
const access: Access = { write: false, privileged: true, instruction: false };

function record(result: AccessResult): Record<string, number> {
  if (result.kind !== 'fault' || result.record === undefined) throw new Error(`no record: ${result.kind}`);
  return decode(EVENT_RECORD, result.record);
}

describe('event records (§7.3)', () => {
  it('name the stream, the access and the whole input address of a translation fault', () => {
    const fault = outcomes.fault(EVENT.F_TRANSLATION);
    expect(record(resultOf(fault, slot, { write: true, privileged: false, instruction: false }))).toMatchObject({
      Event: 0x10,
      StreamID: 9,
      SSV: 0,
      RnW: 0,
      PnU: 0,
      InD: 0,
      S2: 0,
      CLASS: 2,
      Stall: 0,
      InputAddrLow: 0xffff_f000,
      InputAddrHigh: 0xffff_ffff,
    });
    const fetch = { ...access, instruction: true };
    expect(record(resultOf(fault, within, fetch))).toMatchObject({ RnW: 1, PnU: 1, InD: 1, SSV: 1, SubstreamID: 3 });
  });

  it('count a write as data', () => {
    const fault = outcomes.fault(EVENT.F_TRANSLATION);
    expect(record(resultOf(fault, slot, { write: true, privileged: true, instruction: true }))).toMatchObject({
      InD: 0,
    });
  });

  it('give the fetch address of an aborted fetch, and the class of an aborted walk', () => {
    expect(record(resultOf(outcomes.fault(EVENT.F_CD_FETCH, undefined, 0x1238), slot, access))).toMatchObject({
      Event: 9,
      FetchAddr: 0x1238,
      InputAddrLow: 0,
      CLASS: 0,
      RnW: 0,
    });
    expect(record(resultOf(outcomes.fault(EVENT.F_WALK_EABT, undefined, 0x1238), slot, access))).toMatchObject({
      Event: 0xb,
      FetchAddr: 0x1238,
      InputAddrHigh: 0xffff_ffff,
      CLASS: 1,
      RnW: 1,
    });
    expect(decode(EVENT_RECORD, eventRecord(EVENT.F_TLB_CONFLICT, slot, access, 0, false))).toMatchObject({
      Event: 0x20,
      CLASS: 0,
      InputAddrHigh: 0xffff_ffff,
    });
  });

  it('say that there is a SubstreamID, even if it is 0', () => {
    const first = { ...slot, substream: 0 };
    expect(record(resultOf(outcomes.fault(EVENT.F_TRANSLATION), first, access))).toMatchObject({
      SSV: 1,
      SubstreamID: 0,
    });
  });

  it.each([
    ['F_TRANSLATION', 2],
    ['F_ADDR_SIZE', 2],
    ['F_ACCESS', 2],
    ['F_PERMISSION', 2],
    ['F_WALK_EABT', 1],
    ['F_TLB_CONFLICT', 0],
    ['F_CFG_CONFLICT', 0],
    ['C_BAD_STE', 0],
  ] as const)('of %s have CLASS %i', (event, expected) => {
    const result = resultOf(outcomes.fault(EVENT[event]), slot, access);
    expect(result).toMatchObject({ class: expected });
    expect(record(result).CLASS).toBe(expected);
  });

  it('have no SSV in C_BAD_SUBSTREAMID', () => {
    const fault = outcomes.fault(EVENT.C_BAD_SUBSTREAMID);
    expect(record(resultOf(fault, within, access))).toMatchObject({ SSV: 0, SubstreamID: 3 });
  });

  it('are suppressed, or not, as CD.R says; a stall is always recorded', () => {
    const end = (mode: 0 | 1 | 2 | 3 | 4): AccessResult => resultOf(outcomes.fault(EVENT.F_ACCESS, mode), slot, access);
    expect(end(FAULT_MODE.ABORT_SILENT)).toMatchObject({ aborted: true, record: undefined });
    expect(end(FAULT_MODE.RAZWI_SILENT)).toMatchObject({ aborted: false, record: undefined });
    expect(end(FAULT_MODE.RAZWI_RECORD)).toMatchObject({ aborted: false, stalled: false });
    expect(end(FAULT_MODE.STALL)).toMatchObject({ aborted: false, stalled: true });
    expect(record(end(FAULT_MODE.STALL))).toMatchObject({ Stall: 1, Event: 0x12 });
  });
});

describe('permissions', () => {
  const { PR, PW, PX, UR, UW, UX } = PERMISSION;
  it.each([
    [PR, false, true, false],
    [PW, true, true, false],
    [PX, false, true, true],
    [UR, false, false, false],
    [UW, true, false, false],
    [UX, false, false, true],
  ])('bit %i allows one kind of access', (bit, write, privileged, instruction) => {
    const one = { write, privileged, instruction };
    expect(allows(bit, one)).toBe(true);
    expect(allows(63 & ~bit, one)).toBe(false);
  });

  it('are checked after PRIVCFG and INSTCFG', () => {
    const end = (permissions: number, override: number, of: Access): AccessResult =>
      resultOf(outcomes.translation(0x4000, permissions, 5, FAULT_MODE.ABORT_RECORD, override), slot, of);
    expect(end(PR, 0, access)).toEqual({ kind: 'translation', pa: 0x4000, attributes: 5 });
    expect(end(UR, 0, access)).toMatchObject({ kind: 'fault', event: EVENT.F_PERMISSION });
    expect(end(UR, 2, access).kind).toBe('translation');
    expect(end(PR, 3, { ...access, privileged: false }).kind).toBe('translation');
    expect(end(PX, 3 << 2, access).kind).toBe('translation');
    expect(end(PR, 2 << 2, { ...access, instruction: true }).kind).toBe('translation');
    expect(end(PW, 3 << 2, { ...access, write: true }).kind).toBe('translation');
    expect(record(end(PR, 2, access))).toMatchObject({ Event: 0x13, PnU: 0 });
  });

  it('do not matter to what is not translated', () => {
    expect(resultOf(outcomes.bypass(0x5000), slot, access)).toEqual({ kind: 'bypass', pa: 0x5000 });
    expect(resultOf(outcomes.abort(), slot, access)).toEqual({ kind: 'abort' });
    expect(resultOf(outcomes.unpredictable(), slot, access)).toEqual({ kind: 'unpredictable' });
  });
});

describe('sameResult', () => {
  const faults = [
    outcomes.fault(EVENT.F_ACCESS),
    outcomes.fault(EVENT.F_TRANSLATION),
    outcomes.fault(EVENT.F_TRANSLATION, FAULT_MODE.ABORT_SILENT),
    outcomes.fault(EVENT.F_TRANSLATION, FAULT_MODE.RAZWI_RECORD),
    outcomes.fault(EVENT.F_TRANSLATION, FAULT_MODE.STALL),
    outcomes.fault(EVENT.F_CD_FETCH, undefined, 8),
    outcomes.fault(EVENT.F_CD_FETCH, undefined, 16),
  ];
  const all = [
    ...faults,
    outcomes.abort(),
    outcomes.unpredictable(),
    outcomes.bypass(0x1000),
    outcomes.bypass(0x2000),
    outcomes.translation(0x1000, 63, 0, 1, 0),
    outcomes.translation(0x1000, 63, 4, 1, 0),
    outcomes.translation(0x2000, 63, 0, 1, 0),
  ].map((outcome) => resultOf(outcome, slot, access));

  it('tells apart what a device or a driver can tell apart', () => {
    for (const [at, first] of all.entries())
      for (const [other, second] of all.entries()) expect(sameResult(first, second)).toBe(at === other);
  });

  it('does not tell apart what it cannot: permissions that both allow the access', () => {
    const [readOnly, both] = [PERMISSION.PR, 63].map((permissions) =>
      resultOf(outcomes.translation(0x1000, permissions, 0, 1, 0), slot, access),
    );
    expect(readOnly !== undefined && both !== undefined && sameResult(readOnly, both)).toBe(true);
  });
});
