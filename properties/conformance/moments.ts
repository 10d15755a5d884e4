/** What the architecture permits to one access over a stretch of time. */
import type { DeviceAnswer } from '../../impl/devices/smmuv3/index.ts';
import { resultOf, type Access, type AccessResult } from '../../model/architecture/arm/outcomes/event-record.ts';
import type { Slot } from '../../model/architecture/arm/universe.ts';
import type { SmmuV3 } from '../../model/architecture/arm/smmuv3.ts';
import { decode, EVENT_RECORD } from '../../model/architecture/arm/layout/index.ts';
import { accessOffset } from './world.ts';

/**
 * What is permitted now for an access of a slot: also results that differ in nothing but the privilege and the kind of
 * access that their records name, which `outcomesFor` takes for one.
 */
export const resultsOf = (model: SmmuV3, slot: number, access: Access): AccessResult[] =>
  model.outcomes(slot).flatMap((outcome) => {
    if (outcome.kind !== 'translated') return [resultOf(outcome, model.universe.slots[slot] as Slot, access)];
    const result = model.ats?.resultOf(outcome, slot, access);
    return result === undefined ? [] : [result];
  });

/** Collects what is permitted from moment to moment. */
export class Moments {
  readonly #model: SmmuV3;
  readonly #slot: number;
  readonly #access: Access;
  readonly #sets = new Map<number, readonly AccessResult[]>();

  constructor(model: SmmuV3, slot: number, access: Access) {
    this.#model = model;
    this.#slot = slot;
    this.#access = access;
  }

  /** Notes what is permitted now. */
  note(): void {
    const set = this.#model.outcomeSet(this.#slot);
    if (!this.#sets.has(set)) this.#sets.set(set, resultsOf(this.#model, this.#slot, this.#access));
  }

  /** Everything that was permitted at one of the moments. */
  all(): AccessResult[] {
    return [...this.#sets.values()].flat();
  }
}

/** Whether an answer of our device, with the event records that came with it, is one result. */
export const matchesAnswer = (
  result: AccessResult,
  answer: DeviceAnswer,
  records: readonly Readonly<Record<string, number>>[],
): boolean => {
  switch (result.kind) {
    case 'unpredictable':
      return true;
    case 'abort':
      return answer.kind === 'abort' && records.length === 0;
    case 'translation':
    case 'bypass':
      return answer.kind === 'memory' && answer.pa === result.pa + accessOffset && records.length === 0;
    case 'fault': {
      if (answer.kind !== 'fault' || answer.event !== result.event || answer.aborted !== result.aborted) return false;
      if (result.record === undefined) return records.length === 0;
      return records.length === 1 && sameRecord(decode(EVENT_RECORD, result.record), records[0] ?? {});
    }
  }
};

/** The model names the page of an input address, a record the very byte. */
const sameRecord = (permitted: Readonly<Record<string, number>>, found: Readonly<Record<string, number>>): boolean =>
  Object.entries(permitted).every(([field, value]) => {
    const other = found[field] ?? 0;
    return field === 'InputAddrLow' ? value >>> 12 === other >>> 12 : value === other;
  });
