import { EVENT, EVENT_CLASS, EVENT_RECORD } from '../layout/event.ts';
import { encode } from '../layout/layout.ts';
import { FAULT_MODE, PERMISSION, type DirectOutcome, type FaultOutcome } from './outcome.ts';
import type { Slot } from '../universe.ts';

/** What kind of access a device makes. */
export interface Access {
  readonly write: boolean;
  readonly privileged: boolean;
  /** An instruction read; a write is always data. */
  readonly instruction: boolean;
}

/** What one permitted outcome means for an access of a kind. */
export type AccessResult =
  | { readonly kind: 'translation'; readonly pa: number; readonly attributes: number }
  | { readonly kind: 'bypass'; readonly pa: number }
  | FaultResult
  | { readonly kind: 'abort' }
  | { readonly kind: 'unpredictable' };

/** The access is refused. */
export interface FaultResult {
  readonly kind: 'fault';
  readonly event: number;
  /** Address of the fetch that was aborted, else 0. */
  readonly fetchAddress: number;
  /** The device sees an abort; else reads give 0 and writes are ignored (CD.A, §5.5). */
  readonly aborted: boolean;
  readonly stalled: boolean;
  /** Lanes of the event record; undefined if none is written. */
  readonly record: readonly number[] | undefined;
}

/** Faults whose end CD.A, R and S choose (§5.5). */
function isTranslationRelated(event: number): boolean {
  return event >= EVENT.F_TRANSLATION && event <= EVENT.F_PERMISSION;
}

/** The attributes of an access after STE.PRIVCFG and INSTCFG (§5.2): 2 and 3 override with 0 and 1. */
export function overridden(access: Access, override: number): Access {
  const privcfg = override & 3;
  const instcfg = (override >> 2) & 3;
  const privileged = privcfg >= 2 ? privcfg === 3 : access.privileged;
  const instruction = !access.write && (instcfg >= 2 ? instcfg === 3 : access.instruction);
  return { write: access.write, privileged, instruction };
}

/** Whether the permissions of a leaf allow an access (§13.4.1). */
export function allows(permissions: number, { write, privileged, instruction }: Access): boolean {
  const { PR, PW, PX, UR, UW, UX } = PERMISSION;
  const needed = privileged ? (write ? PW : instruction ? PX : PR) : write ? UW : instruction ? UX : UR;
  return (permissions & needed) !== 0;
}

/** What an outcome means for an access of a slot. */
export function resultOf(outcome: DirectOutcome, slot: Slot, access: Access): AccessResult {
  switch (outcome.kind) {
    case 'abort':
    case 'unpredictable':
      return { kind: outcome.kind };
    case 'bypass':
      return { kind: 'bypass', pa: outcome.pa };
    case 'fault':
      return faultResult(outcome, slot, overridden(access, 0));
    case 'translation': {
      const effective = overridden(access, outcome.override);
      if (allows(outcome.permissions, effective))
        return { kind: 'translation', pa: outcome.pa, attributes: outcome.attributes };
      const { faultMode } = outcome;
      return faultResult({ event: EVENT.F_PERMISSION, faultMode, fetchAddress: 0 }, slot, effective);
    }
  }
}

/** Whether two results are the same to the device and to whoever reads the event queue. */
export function sameResult(first: AccessResult, second: AccessResult): boolean {
  if (first.kind === 'translation')
    return second.kind === 'translation' && first.pa === second.pa && first.attributes === second.attributes;
  if (first.kind === 'bypass') return second.kind === 'bypass' && first.pa === second.pa;
  if (first.kind !== 'fault') return first.kind === second.kind;
  return (
    second.kind === 'fault' &&
    first.event === second.event &&
    first.fetchAddress === second.fetchAddress &&
    first.aborted === second.aborted &&
    first.stalled === second.stalled &&
    (first.record === undefined) === (second.record === undefined)
  );
}

function faultResult(
  { event, faultMode, fetchAddress }: Pick<FaultOutcome, 'event' | 'faultMode' | 'fetchAddress'>,
  slot: Slot,
  access: Access,
): FaultResult {
  const { ABORT_SILENT, RAZWI_SILENT, RAZWI_RECORD, STALL } = FAULT_MODE;
  const recorded = faultMode !== ABORT_SILENT && faultMode !== RAZWI_SILENT;
  const stalled = faultMode === STALL;
  return {
    kind: 'fault',
    event,
    fetchAddress,
    aborted: !stalled && faultMode !== RAZWI_SILENT && faultMode !== RAZWI_RECORD,
    stalled,
    record: recorded ? eventRecord(event, slot, access, fetchAddress, stalled) : undefined,
  };
}

/**
 * The event record of a fault (§7.3). Fields that the architecture leaves UNKNOWN or IMPLEMENTATION DEFINED (STAG, Reason)
 * are 0; an input address is given as its page, since accesses are counted in pages.
 */
export function eventRecord(
  event: number,
  slot: Slot,
  access: Access,
  fetchAddress: number,
  stalled: boolean,
): number[] {
  const { streamId, substream, va } = slot;
  // C_BAD_SUBSTREAMID has no SSV: its SubstreamID is always valid (§7.3.9).
  const ssv = substream >= 0 && event !== EVENT.C_BAD_SUBSTREAMID ? 1 : 0;
  const base = { Event: event, SSV: ssv, SubstreamID: Math.max(0, substream), StreamID: streamId };
  if (!isTranslationRelated(event) && event !== EVENT.F_WALK_EABT && event !== EVENT.F_TLB_CONFLICT)
    return encode(EVENT_RECORD, { ...base, FetchAddr: fetchAddress });
  return encode(EVENT_RECORD, {
    ...base,
    Stall: stalled ? 1 : 0,
    RnW: access.write ? 0 : 1,
    InD: access.instruction ? 1 : 0,
    PnU: access.privileged ? 1 : 0,
    // Without stage 2 the class of a Translation-related fault is IN, and that of an aborted walk is TT (§7.3.12).
    CLASS: event === EVENT.F_WALK_EABT ? EVENT_CLASS.TABLE : event === EVENT.F_TLB_CONFLICT ? 0 : EVENT_CLASS.INPUT,
    InputAddrLow: va % 2 ** 32,
    InputAddrHigh: Math.floor(va / 2 ** 32),
    FetchAddr: fetchAddress,
  });
}
