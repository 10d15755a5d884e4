import { describe, expect, it } from 'vitest';
import { EVENT, EVENT_RECORD } from '../layout/event.ts';
import { decode } from '../layout/layout.ts';
import { OutcomeTable, PERMISSION, type DirectOutcome } from '../outcomes/outcome.ts';
import type { Slot } from '../universe.ts';
import { badRequestRecord, translatedOutcome, translatedResult } from './translated-access.ts';

const { PR, PW, PX, UR, UW, UX } = PERMISSION;
const ALL = PR | PW | PX | UR | UW | UX;
const ADDRESS = 0x7000;
const outcomes = new OutcomeTable();
const ending = (permissions: number, override = 0): DirectOutcome =>
  outcomes.translation(ADDRESS, permissions, 0, 1, override);

describe('what an access may do with an address that the device was given (§3.9.1.3)', () => {
  const permitted = (end: DirectOutcome, granted = ALL): number =>
    translatedOutcome(outcomes, ADDRESS, granted, end).permissions;

  it('is what was granted, where nothing is translated any more', () => {
    expect(permitted(outcomes.bypass(ADDRESS), UR | UX)).toBe(UR | UX);
  });

  it('is nothing where it ends otherwise', () => {
    for (const end of [outcomes.fault(EVENT.F_TRANSLATION), outcomes.abort(), outcomes.unpredictable()])
      expect(permitted(end)).toBe(0);
  });

  it('is what stage 2 permits to unprivileged data, whoever the device says that it is', () => {
    expect(permitted(ending(UR | UW))).toBe(ALL);
    expect(permitted(ending(UR))).toBe(PR | PX | UR | UX);
    expect(permitted(ending(UW))).toBe(PW | UW);
    expect(permitted(ending(UR | UW), PR | UW)).toBe(PR | UW);
    expect(permitted(ending(PR | PW | PX | UX))).toBe(0);
  });
});

describe('who the device says that it is', () => {
  const slot = (substream: number): Slot => ({ streamId: 1, substream, va: 0x1000 });

  it('counts only with a PASID (§13.7)', () => {
    const outcome = translatedOutcome(outcomes, ADDRESS, UR, outcomes.bypass(ADDRESS));
    const seen = [-1, 0, 1].map((substream) =>
      translatedResult(outcome, slot(substream), { write: false, privileged: true, instruction: false }),
    );
    expect(seen).toEqual([{ kind: 'bypass', pa: ADDRESS }, undefined, undefined]);
  });

  it('is in the record of a request that is refused (§7.3.6)', () => {
    const request = { write: false, privileged: false, instruction: false };
    const record = (substream: number) => decode(EVENT_RECORD, badRequestRecord(slot(substream), request));
    expect([record(-1), record(0), record(3)]).toMatchObject([
      { SSV: 0, SubstreamID: 0 },
      { SSV: 1, SubstreamID: 0 },
      { SSV: 1, SubstreamID: 3 },
    ]);
  });
});
