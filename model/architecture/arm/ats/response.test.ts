import { describe, expect, it } from 'vitest';
import { EVENT } from '../layout/event.ts';
import { OutcomeTable, PERMISSION } from '../outcomes/outcome.ts';
import { answerOf, completionOf, type Answer } from './response.ts';

const outcomes = new OutcomeTable();

describe('what a translation request finds where an access would end so (§3.9.1.2)', () => {
  const fault = (event: number): Answer => answerOf(outcomes.fault(event), false, false);

  it('is nothing, for a fault of translation', () => {
    const { F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION } = EVENT;
    for (const event of [F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION])
      expect(fault(event)).toEqual({ kind: 'denied' });
  });

  it('is an error, for others', () => {
    const { F_STE_FETCH, C_BAD_CD, F_WALK_EABT, F_TLB_CONFLICT, F_CFG_CONFLICT } = EVENT;
    for (const event of [F_STE_FETCH, C_BAD_CD, F_WALK_EABT, F_TLB_CONFLICT, F_CFG_CONFLICT])
      expect(fault(event)).toEqual({ kind: 'aborted' });
    expect(answerOf(outcomes.abort(), false, false)).toEqual({ kind: 'aborted' });
    expect(answerOf(outcomes.unpredictable(), false, false)).toEqual({ kind: 'unpredictable' });
  });
});

describe('what a request is told (§13.7)', () => {
  it('is permission to write alone, where there is no other', () => {
    const granted: Answer = { kind: 'granted', address: 0x1000, granted: PERMISSION.UW };
    const ask = (write: boolean) => completionOf(granted, { write, instruction: false, privileged: false }, false);
    const told = { kind: 'granted', address: 0x1000, read: false, execute: false };
    expect([ask(true), ask(false)]).toEqual([
      { ...told, write: true },
      { ...told, write: 'maybe' },
    ]);
  });
});
