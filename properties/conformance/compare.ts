/** Compares the answer to a read or a write with what the architecture permits. */
import type { EventRecord } from '../../impl/qemu/index.ts';
import { EVENT, EVENT_CLASS } from '../../model/architecture/arm/layout/index.ts';
import type { Deviation, Difference, PartAnswer, Permitted } from './deviation.ts';

/** An access as the comparison needs to know it. */
export interface Request {
  readonly part: 'read' | 'write';
  readonly streamId: number;
  readonly address: { readonly low: number; readonly high: number };
}

const names = new Map<number, string>(Object.entries(EVENT).map(([name, number]) => [number, name]));

/** Name of an event number. */
export const eventName = (event: number): string => names.get(event) ?? `event 0x${event.toString(16)}`;

const hex = (value: number): string => `0x${value.toString(16)}`;
const lanes = ({ low, high }: { low: number; high: number }): string =>
  `0x${high === 0 ? '' : high.toString(16)}${(low >>> 0).toString(16).padStart(high === 0 ? 1 : 8, '0')}`;

/** Events that describe one input address. */
const translationEvents: readonly number[] = [
  EVENT.F_WALK_EABT,
  EVENT.F_TRANSLATION,
  EVENT.F_ADDR_SIZE,
  EVENT.F_ACCESS,
  EVENT.F_PERMISSION,
];
const fetchEvents: readonly number[] = [EVENT.F_STE_FETCH, EVENT.F_CD_FETCH, EVENT.F_WALK_EABT];

/** Fields of a record that are not what the permitted fault has: name, value found, value required. */
const wrongFields = (
  record: EventRecord,
  request: Request,
  fetchAddress: number,
): { field: string; found: string; required: string }[] => {
  const translation = translationEvents.includes(record.Event);
  const required: Partial<EventRecord> = {
    StreamID: request.streamId,
    SSV: 0,
    Stall: 0,
    S2: 0,
    InD: 0,
    // A PCIe transaction without PASID is unprivileged (IHI 0070 §3.9, §13.7).
    PnU: 0,
    RnW: translation && request.part === 'read' ? 1 : 0,
    CLASS: !translation ? 0 : record.Event === EVENT.F_WALK_EABT ? EVENT_CLASS.TABLE : EVENT_CLASS.INPUT,
    InputAddrLow: translation ? request.address.low >>> 0 : 0,
    InputAddrHigh: translation ? request.address.high >>> 0 : 0,
    // Of the other translation events this part is the IPA, UNKNOWN at stage 1 (§7.3.13); the rest have it RES0.
    ...(fetchEvents.includes(record.Event) ? { FetchAddr: fetchAddress } : translation ? {} : { FetchAddr: 0 }),
  };
  return Object.entries(required).flatMap(([field, value]) => {
    const found = record[field as keyof EventRecord];
    return found === value ? [] : [{ field, found: hex(found), required: hex(value) }];
  });
};

/** A permitted outcome in words. */
export const renderPermitted = (permitted: Permitted): string =>
  permitted.kind === 'memory'
    ? `memory at ${hex(permitted.pa)}`
    : permitted.kind === 'abort'
      ? 'abort without event'
      : `${eventName(permitted.event)}${permitted.recorded ? '' : ' (not recorded)'}`;

/** An answer in words. */
export const renderAnswer = ({ part, events }: PartAnswer): string => {
  const effect =
    part.kind === 'memory'
      ? `memory at ${hex(part.pa)}`
      : part.kind === 'foreign'
        ? `the value ${hex(part.value >>> 0)} from an unknown place`
        : part.kind === 'refused'
          ? 'no access'
          : 'an access that cannot be seen';
  const list = events.map(
    (event) =>
      `${eventName(event.Event)}(StreamID ${hex(event.StreamID)}, ${event.RnW === 1 ? 'read' : 'write'}, ` +
      `address ${lanes({ low: event.InputAddrLow, high: event.InputAddrHigh })}, CLASS ${event.CLASS})`,
  );
  return list.length === 0 ? effect : `${effect}, ${list.join(', ')}`;
};

const agrees = ({ part, events }: PartAnswer, permitted: Permitted, request: Request): boolean => {
  if (permitted.kind === 'memory')
    return events.length === 0 && (part.kind === 'unobserved' || (part.kind === 'memory' && part.pa === permitted.pa));
  if (part.kind === 'memory' || part.kind === 'foreign') return false;
  if (permitted.kind === 'abort' || !permitted.recorded) return events.length === 0;
  const [record] = events;
  return (
    events.length === 1 &&
    record !== undefined &&
    record.Event === permitted.event &&
    wrongFields(record, request, permitted.fetchAddress).length === 0
  );
};

const uniqueNames = (events: readonly number[]): string => [...new Set(events.map(eventName))].sort().join('|');

/** Names the difference between an answer and a set that it is not in. */
const describe = (
  answer: PartAnswer,
  permitted: readonly Permitted[],
  request: Request,
): { difference: Difference; detail: string } => {
  const { part, events } = answer;
  const faults = permitted.flatMap((one) => (one.kind === 'fault' && one.recorded ? [one] : []));
  const expected = uniqueNames(faults.map(({ event }) => event)) || 'abort';
  const through = permitted.some(({ kind }) => kind === 'memory');
  const found = uniqueNames(events.map(({ Event }) => Event)) || 'none';
  if (part.kind === 'memory' || part.kind === 'foreign') {
    if (events.length > 0) return { difference: 'unexpected-event', detail: `${found} with access` };
    return through
      ? { difference: 'wrong-address', detail: part.kind === 'foreign' ? 'unknown place' : '' }
      : { difference: 'allowed', detail: expected };
  }
  const [record] = events;
  if (record === undefined)
    return through && faults.length === 0
      ? { difference: 'refused', detail: 'none' }
      : { difference: 'missing-event', detail: expected };
  const same = faults.find(({ event }) => event === record.Event);
  if (events.length === 1 && same !== undefined) {
    const [wrong] = wrongFields(record, request, same.fetchAddress);
    return { difference: 'event-field', detail: `${found}.${wrong?.field ?? ''}` };
  }
  if (through) return { difference: 'refused', detail: found };
  return faults.length === 0
    ? { difference: 'unexpected-event', detail: found }
    : { difference: 'wrong-event', detail: `${found} for ${expected}` };
};

/**
 * Checks one answer.
 *
 * @returns undefined if it is permitted (always, if `permitted` is undefined: the architecture leaves it open).
 */
export const compare = (
  operation: number,
  request: Request,
  answer: PartAnswer,
  permitted: readonly Permitted[] | undefined,
): Deviation | undefined => {
  if (permitted === undefined || permitted.some((one) => agrees(answer, one, request))) return undefined;
  const { difference, detail } = describe(answer, permitted, request);
  const [record] = answer.events;
  const wrong =
    difference === 'event-field' && record !== undefined
      ? permitted.flatMap((one) =>
          one.kind === 'fault' && one.event === record.Event ? wrongFields(record, request, one.fetchAddress) : [],
        )
      : [];
  const fields = wrong.map(({ field, found, required }) => `${field} is ${found}, must be ${required}`).join(', ');
  return {
    operation,
    part: request.part,
    difference,
    detail,
    answer: renderAnswer(answer) + (fields === '' ? '' : `; ${fields}`),
    permitted: permitted.map(renderPermitted),
  };
};
