import { describe, expect, test } from 'vitest';
import { EVENT } from '../../model/architecture/arm/layout/index.ts';
import { recordOf } from './architecture-device.ts';
import { compare } from './compare.ts';
import type { PartAnswer, Permitted } from './deviation.ts';

const request = { part: 'write', streamId: 0x10, address: { low: 0x5800_0040, high: 0 } } as const;
const memory = (pa: number): Permitted => ({ kind: 'memory', pa });
const fault = (event: number, recorded = true): Permitted => ({ kind: 'fault', event, recorded, fetchAddress: 0 });
const record = (event: number, fetchAddress = 0): PartAnswer['events'][number] =>
  recordOf({ event, fetchAddress }, 0x10, request.address, 'write');
const reached = (pa: number): PartAnswer => ({ part: { kind: 'memory', pa }, events: [] });
const refused = (...events: number[]): PartAnswer => ({
  part: { kind: 'refused' },
  events: events.map((event) => record(event)),
});
const { F_TRANSLATION, F_PERMISSION, F_ACCESS, F_WALK_EABT, C_BAD_STE } = EVENT;

const of = (answer: PartAnswer, permitted: readonly Permitted[] | undefined): string | undefined => {
  const deviation = compare(3, request, answer, permitted);
  return deviation === undefined
    ? undefined
    : `${deviation.difference}: ${deviation.found} for ${deviation.expected.join('|')}`;
};

describe('an answer agrees', () => {
  test('with any one of the permitted outcomes', () => {
    expect(of(reached(0x40), [memory(0x80), memory(0x40)])).toBeUndefined();
    expect(of(refused(F_TRANSLATION), [memory(0x80), fault(F_TRANSLATION)])).toBeUndefined();
    expect(of(refused(), [{ kind: 'abort' }])).toBeUndefined();
    expect(of(refused(), [fault(F_ACCESS, false)])).toBeUndefined();
  });

  test('with anything where the architecture leaves it open', () => {
    expect(of(refused(F_ACCESS), undefined)).toBeUndefined();
  });

  test('with a read that cannot be seen, if it may have gone through', () => {
    expect(of({ part: { kind: 'unobserved' }, events: [] }, [memory(0x40)])).toBeUndefined();
  });
});

describe('an answer differs', () => {
  const cases: [string, PartAnswer, readonly Permitted[]][] = [
    ['wrong-address: access for access', reached(0x40), [memory(0x80)]],
    ['wrong-address: access for access', { part: { kind: 'foreign', value: 1 }, events: [] }, [memory(0x80)]],
    ['allowed: access for F_TRANSLATION', reached(0x40), [fault(F_TRANSLATION)]],
    ['allowed: access for F_PERMISSION', { part: { kind: 'unobserved' }, events: [] }, [fault(F_PERMISSION)]],
    ['refused: F_ACCESS for access', refused(F_ACCESS), [memory(0x40)]],
    ['refused: silent for access', refused(), [memory(0x40)]],
    ['missing-event: silent for F_ACCESS', refused(), [fault(F_ACCESS)]],
    ['wrong-event: F_PERMISSION for F_ACCESS', refused(F_PERMISSION), [fault(F_ACCESS)]],
    ['unexpected-event: C_BAD_STE for abort', refused(C_BAD_STE), [{ kind: 'abort' }]],
    ['unexpected-event: F_ACCESS for F_ACCESS (not recorded)', refused(F_ACCESS), [fault(F_ACCESS, false)]],
    ['unexpected-event: access+F_ACCESS for access', { ...reached(0x40), events: [record(F_ACCESS)] }, [memory(0x40)]],
    ['wrong-event: F_ACCESS for F_ACCESS', refused(F_ACCESS, F_ACCESS), [fault(F_ACCESS)]],
  ];
  for (const [expected, answer, permitted] of cases)
    test(expected, () => {
      expect(of(answer, permitted)).toBe(expected);
    });

  test('in a field of the record, and says which', () => {
    const wrong = { part: { kind: 'refused' }, events: [{ ...record(F_ACCESS), RnW: 1, StreamID: 0x18 }] } as const;
    expect(compare(3, request, wrong, [fault(F_ACCESS)])).toMatchObject({
      operation: 3,
      part: 'write',
      difference: 'event-field',
      found: 'F_ACCESS.StreamID,RnW',
      answer: expect.stringContaining('StreamID is 0x18, must be 0x10, RnW is 0x1, must be 0x0') as string,
      permitted: ['F_ACCESS'],
    });
    const fetch = { kind: 'fault', event: F_WALK_EABT, recorded: true, fetchAddress: 0x1000 } as const;
    expect(of({ part: { kind: 'refused' }, events: [record(F_WALK_EABT, 0x1000)] }, [fetch])).toBeUndefined();
    expect(of(refused(F_WALK_EABT), [fetch])).toBe('event-field: F_WALK_EABT.FetchAddr for F_WALK_EABT');
  });
});
