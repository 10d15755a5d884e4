import { alignDown } from '../configuration/align.ts';
import { EVENT, EVENT_CLASS, EVENT_IPA, EVENT_RECORD } from '../layout/event.ts';
import { encode, write as writeField } from '../layout/layout.ts';
import {
  FAULT_MODE,
  PERMISSION,
  type DirectOutcome,
  type FaultMode,
  type FaultOutcome,
  type StageTwoFault,
} from './outcome.ts';
import { PAGE_BYTES, type Slot } from '../universe.ts';

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
  /** Stage at which it arose, for what arises in a translation; 1 for everything else. */
  readonly stage: 1 | 2;
  /** What was being translated (`EVENT_CLASS`), for what arises in a translation; 0 for everything else. */
  readonly class: number;
  /** Of a fault of stage 2: the address that was to be translated, else 0. */
  readonly ipa: number;
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
    case 'fault': {
      const effective = overridden(access, outcome.override);
      const after = outcome.stage2?.after;
      if (after !== undefined && !allows(after.permissions, effective))
        return faultResult(permissionFault(after.faultMode), slot, effective);
      return faultResult(outcome, slot, effective);
    }
    case 'translation': {
      const effective = overridden(access, outcome.override);
      if (allows(outcome.permissions, effective))
        return { kind: 'translation', pa: outcome.pa, attributes: outcome.attributes };
      const { faultMode, stage2 } = outcome;
      if (stage2 === undefined || !allows(stage2.first, effective))
        return faultResult(permissionFault(faultMode), slot, effective);
      const at = { class: EVENT_CLASS.INPUT, ipa: stage2.ipa };
      return faultResult(permissionFault(stage2.faultMode, at), slot, effective);
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
    first.stage === second.stage &&
    first.class === second.class &&
    first.ipa === second.ipa &&
    first.aborted === second.aborted &&
    first.stalled === second.stalled &&
    (first.record === undefined) === (second.record === undefined)
  );
}

/** What a record needs to know of a fault. */
interface Fault extends Pick<FaultOutcome, 'event' | 'faultMode' | 'fetchAddress'> {
  readonly stage2?: FaultPlace | undefined;
}

/** Where stage 2 refused something. */
export type FaultPlace = Pick<StageTwoFault, 'class' | 'ipa'>;

function permissionFault(faultMode: FaultMode, stage2?: FaultPlace): Fault {
  return { event: EVENT.F_PERMISSION, faultMode, fetchAddress: 0, stage2 };
}

function faultResult({ event, faultMode, fetchAddress, stage2 }: Fault, slot: Slot, access: Access): FaultResult {
  const { ABORT_SILENT, RAZWI_SILENT, RAZWI_RECORD, STALL } = FAULT_MODE;
  const recorded = faultMode !== ABORT_SILENT && faultMode !== RAZWI_SILENT;
  const stalled = faultMode === STALL;
  return {
    kind: 'fault',
    event,
    fetchAddress,
    stage: stage2 === undefined ? 1 : 2,
    class: classOf(event, stage2),
    ipa: stage2?.ipa ?? 0,
    aborted: !stalled && faultMode !== RAZWI_SILENT && faultMode !== RAZWI_RECORD,
    stalled,
    record: recorded ? eventRecord(event, slot, access, fetchAddress, stalled, stage2) : undefined,
  };
}

/**
 * CLASS: of stage 1 it is IN for the Translation-related faults and TT for an aborted walk (§7.3.12, §7.3.13). A TLB
 * conflict has none.
 */
function classOf(event: number, stage2: FaultPlace | undefined): number {
  if (event === EVENT.F_WALK_EABT) return stage2?.class ?? EVENT_CLASS.TABLE;
  return isTranslationRelated(event) ? (stage2?.class ?? EVENT_CLASS.INPUT) : 0;
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
  stage2?: FaultPlace,
): number[] {
  const { streamId, substream, va } = slot;
  // C_BAD_SUBSTREAMID has no SSV: its SubstreamID is always valid (§7.3.9).
  const ssv = substream >= 0 && event !== EVENT.C_BAD_SUBSTREAMID ? 1 : 0;
  const base = { Event: event, SSV: ssv, SubstreamID: Math.max(0, substream), StreamID: streamId };
  if (!isTranslationRelated(event) && event !== EVENT.F_WALK_EABT && event !== EVENT.F_TLB_CONFLICT)
    return encode(EVENT_RECORD, { ...base, FetchAddr: fetchAddress });
  const lanes = encode(EVENT_RECORD, {
    ...base,
    Stall: stalled ? 1 : 0,
    RnW: access.write ? 0 : 1,
    InD: access.instruction ? 1 : 0,
    PnU: access.privileged ? 1 : 0,
    S2: stage2 === undefined ? 0 : 1,
    CLASS: classOf(event, stage2),
    // Tables are only read, as there is no hardware update of flags.
    TTRnW: event === EVENT.F_PERMISSION && stage2?.class === EVENT_CLASS.TABLE ? 1 : 0,
    InputAddrLow: va % 2 ** 32,
    InputAddrHigh: Math.floor(va / 2 ** 32),
    FetchAddr: fetchAddress,
  });
  if (stage2 !== undefined && event !== EVENT.F_WALK_EABT)
    writeField(EVENT_IPA, lanes, alignDown(stage2.ipa, PAGE_BYTES));
  return lanes;
}
