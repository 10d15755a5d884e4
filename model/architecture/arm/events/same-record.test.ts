import { describe, expect, it } from 'vitest';
import { EVENT, EVENT_IPA, EVENT_RECORD } from '../layout/event.ts';
import { encode, write, type FieldValues } from '../layout/layout.ts';
import { sameRecord } from './same-record.ts';

type Values = FieldValues<typeof EVENT_RECORD>;

function same(expected: Values, changes: Values): boolean {
  return sameRecord(encode(EVENT_RECORD, { ...expected, ...changes }), encode(EVENT_RECORD, expected));
}

const translation = { Event: EVENT.F_TRANSLATION, StreamID: 1, InputAddrLow: 0x1000, RnW: 1, CLASS: 2 };

describe('fields that count (§7.3)', () => {
  it.each<[string, Values, Values, boolean]>([
    ['event', translation, { Event: EVENT.F_ACCESS }, false],
    ['stream', translation, { StreamID: 2 }, false],
    ['address', translation, { InputAddrLow: 0x2000 }, false],
    ['high half of the address', translation, { InputAddrHigh: 1 }, false],
    ['offset within the page', translation, { InputAddrLow: 0x1abc }, true],
    ['direction', translation, { RnW: 0 }, false],
    ['privilege', translation, { PnU: 1 }, false],
    ['instruction', translation, { InD: 1 }, false],
    ['class', translation, { CLASS: 1 }, false],
    ['stage', translation, { S2: 1 }, false],
    ['stall', translation, { Stall: 1 }, false],
    ['tag of the stall', translation, { STAG: 9 }, true],
    ['SubstreamID without SSV', translation, { SubstreamID: 3 }, true],
    ['SSV', translation, { SSV: 1 }, false],
    ['SubstreamID with SSV', { ...translation, SSV: 1, SubstreamID: 2 }, { SubstreamID: 3 }, false],
    ['SubstreamID of C_BAD_SUBSTREAMID', { Event: EVENT.C_BAD_SUBSTREAMID }, { SubstreamID: 3 }, false],
    ['fetch address', { Event: EVENT.F_CD_FETCH, FetchAddr: 0x1000 }, { FetchAddr: 0x1040 }, false],
    ['fetch address of an event without one', translation, { FetchAddr: 0x1040 }, true],
    ['reason', { Event: EVENT.C_BAD_STE }, { InputAddrLow: 7 }, true],
    ['what a translation request asked for', { Event: EVENT.F_BAD_ATS_TREQ }, { RnW: 1 }, true],
    [
      'all but number and stream of an event of which nothing else is defined',
      { Event: EVENT.F_UUT },
      { RnW: 1 },
      true,
    ],
    ['direction of a forbidden access', { Event: EVENT.F_TRANSL_FORBIDDEN }, { RnW: 1 }, false],
  ])('%s', (_name, expected, changes, result) => expect(same(expected, changes)).toBe(result));

  it('the IPA of a stage 2 fault, by its page', () => {
    const of = (ipa: number): number[] => {
      const lanes = encode(EVENT_RECORD, { ...translation, S2: 1 });
      write(EVENT_IPA, lanes, ipa);
      return lanes;
    };
    expect(sameRecord(of(0x5000), of(0x5000))).toBe(true);
    expect(sameRecord(of(0x6000), of(0x5000))).toBe(false);
  });
});
