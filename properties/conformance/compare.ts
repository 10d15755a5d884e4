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

const eventNames = new Map<number, string>(Object.entries(EVENT).map(([name, number]) => [number, name]));

/** Name of an event number. */
export const eventName = (event: number): string => eventNames.get(event) ?? `event 0x${event.toString(16)}`;

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

const pageBytes = 4096;

type Fault = Extract<Permitted, { kind: 'fault' }>;

/** Fields of a record that are not what the permitted fault has: name, value found, value required. */
const wrongFields = (
  record: EventRecord,
  request: Request,
  { fetchAddress, stage2 }: Fault,
): { field: string; found: string; required: string }[] => {
  const translation = translationEvents.includes(record.Event);
  const ofStage1 = record.Event === EVENT.F_WALK_EABT ? EVENT_CLASS.TABLE : EVENT_CLASS.INPUT;
  const required: Partial<EventRecord> = {
    StreamID: request.streamId,
    SSV: 0,
    Stall: 0,
    S2: stage2 === undefined ? 0 : 1,
    InD: 0,
    // A PCIe transaction without PASID is unprivileged (IHI 0070 §3.9, §13.7).
    PnU: 0,
    RnW: translation && request.part === 'read' ? 1 : 0,
    CLASS: translation ? (stage2?.class ?? ofStage1) : 0,
    InputAddrLow: translation ? request.address.low >>> 0 : 0,
    InputAddrHigh: translation ? request.address.high >>> 0 : 0,
  };
  const wrong: { field: string; found: string; required: string }[] = [];
  // Of the other translation events this part is the IPA, UNKNOWN at stage 1 (§7.3.13); the rest have it RES0.
  const address = fetchEvents.includes(record.Event)
    ? (['FetchAddr', fetchAddress] as const)
    : translation
      ? (['IPA', stage2?.ipa] as const)
      : (['FetchAddr', 0] as const);
  const [field, value] = address;
  const lowBits = field === 'IPA' ? record.FetchAddr % pageBytes : 0;
  if (value !== undefined && record.FetchAddr - lowBits !== value)
    wrong.push({ field, found: hex(record.FetchAddr), required: hex(value) });
  for (const [name, expected] of Object.entries(required)) {
    const found = record[name as keyof EventRecord];
    if (found !== expected) wrong.push({ field: name, found: hex(found), required: hex(expected) });
  }
  // Where more is wrong than the bits below the page, these are not worth a mention.
  if (wrong.length === 0 && value !== undefined && lowBits !== 0)
    wrong.push({ field: 'IPA[11:0]', found: hex(lowBits), required: hex(0) });
  return wrong;
};

/** Marks the name of a fault that CD.R keeps out of the event queue. */
export const silently = ' (not recorded)';

/** A permitted outcome in words. */
export const renderPermitted = (permitted: Permitted): string =>
  permitted.kind === 'memory'
    ? `memory at ${hex(permitted.pa)}`
    : permitted.kind === 'abort'
      ? 'abort without event'
      : `${eventName(permitted.event)}${permitted.recorded ? '' : silently}${stage2Text(permitted)}`;

const classNames = ['a CD', 'a stage 1 descriptor', 'the input'];

const stage2Text = ({ stage2, fetchAddress }: Fault): string => {
  if (stage2 === undefined) return '';
  const of = `at stage 2 for ${classNames[stage2.class] ?? '?'}`;
  return fetchAddress === 0 ? ` ${of} at IPA ${hex(stage2.ipa)}` : ` ${of}`;
};

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
      `address ${lanes({ low: event.InputAddrLow, high: event.InputAddrHigh })}, CLASS ${event.CLASS}${event.S2 === 1 ? `, S2, IPA ${hex(event.FetchAddr)}` : ''})`,
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
    wrongFields(record, request, permitted).length === 0
  );
};

const sortedUnique = (names: readonly string[]): string[] => [...new Set(names)].sort();

const kindOf = (permitted: Permitted): string =>
  permitted.kind === 'memory'
    ? 'access'
    : permitted.kind === 'abort'
      ? 'abort'
      : `${eventName(permitted.event)}${permitted.recorded ? '' : silently}`;

const faultsOf = (permitted: readonly Permitted[], event: number): Fault[] =>
  permitted.flatMap((one) => (one.kind === 'fault' && one.event === event ? [one] : []));

/** Of the faults with the event of a record, the one that it comes closest to. */
const closest = (faults: readonly Fault[], record: EventRecord, request: Request): Fault | undefined => {
  const weight = ({ field }: { field: string }): number => (field === 'IPA[11:0]' ? 1 : 2);
  const distance = (fault: Fault): number =>
    wrongFields(record, request, fault).reduce((sum, wrong) => sum + weight(wrong), 0);
  return faults.toSorted((a, b) => distance(a) - distance(b))[0];
};

/** Names the difference between an answer and a set that it is not in. */
const describe = (
  { part, events }: PartAnswer,
  permitted: readonly Permitted[],
  request: Request,
): { difference: Difference; found: string } => {
  const through = permitted.some(({ kind }) => kind === 'memory');
  const found = sortedUnique(events.map(({ Event }) => eventName(Event))).join('+');
  const [record] = events;
  if (record === undefined) {
    // A read without an event whose result is lost with the refused write behind it was, at any rate, not refused.
    if (part.kind !== 'refused') return { difference: through ? 'wrong-address' : 'allowed', found: 'access' };
    const recorded = permitted.some((one) => one.kind === 'fault' && one.recorded);
    return { difference: recorded ? 'missing-event' : 'refused', found: 'silent' };
  }
  if (part.kind === 'memory' || part.kind === 'foreign')
    return { difference: 'unexpected-event', found: `access+${found}` };
  const same = faultsOf(permitted, record.Event);
  const fault = closest(same, record, request);
  if (events.length === 1 && fault?.recorded === true) {
    const fields = wrongFields(record, request, fault).map(({ field }) => field);
    return { difference: 'event-field', found: `${found}.${fields.join(',')}` };
  }
  if (through) return { difference: 'refused', found };
  const silent = permitted.every((one) => one.kind === 'abort' || (one.kind === 'fault' && !one.recorded));
  return { difference: silent ? 'unexpected-event' : 'wrong-event', found };
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
  const { difference, found } = describe(answer, permitted, request);
  const [record] = answer.events;
  const wrong =
    difference === 'event-field' && record !== undefined
      ? wrongFields(record, request, closest(faultsOf(permitted, record.Event), record, request) as Fault)
      : [];
  const fields = wrong.map((one) => `${one.field} is ${one.found}, must be ${one.required}`).join(', ');
  return {
    operation,
    part: request.part,
    difference,
    found,
    expected: sortedUnique(permitted.map(kindOf)),
    observed: answer,
    answer: renderAnswer(answer) + (fields === '' ? '' : `; ${fields}`),
    permitted: permitted.map(renderPermitted),
  };
};
