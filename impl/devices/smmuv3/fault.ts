import { EVENT, EVENT_CLASS } from '../../../model/architecture/arm/layout/event.ts';
import { ABORT_AND_RECORD, type FaultControl } from './configuration/stream-config.ts';

/** Why a translation cannot go on; written again by each fault. */
export interface Fault {
  event: number;
  /** How it ends the transaction. */
  control: FaultControl;
  /** Record fields S2, CLASS, IPA and FetchAddr (IHI 0070 §7.3). */
  stage2: boolean;
  class: number;
  ipa: number;
  fetchAddress: number;
}

/** A fault to write into. */
export function emptyFault(): Fault {
  return { event: 0, control: ABORT_AND_RECORD, stage2: false, class: 0, ipa: 0, fetchAddress: 0 };
}

/** Whether CD.A, R and S (STE.S2R, S2S) say how the fault ends: the four translation-related faults (§5.5). */
export function isTranslationRelated(event: number): boolean {
  return event >= EVENT.F_TRANSLATION && event <= EVENT.F_PERMISSION;
}

/** A configuration error. */
export function configurationFault(into: Fault, event: number, fetchAddress = 0): void {
  into.event = event;
  into.control = ABORT_AND_RECORD;
  into.stage2 = false;
  into.class = EVENT_CLASS.CD;
  into.ipa = 0;
  into.fetchAddress = fetchAddress;
}

/** A fault of stage 1: its class is IN, but TT for an aborted fetch (§7.3.12). */
export function stageOneFault(into: Fault, event: number, control: FaultControl, fetchAddress = 0): void {
  into.event = event;
  into.control = isTranslationRelated(event) ? control : ABORT_AND_RECORD;
  into.stage2 = false;
  into.class = event === EVENT.F_WALK_EABT ? EVENT_CLASS.TABLE : EVENT_CLASS.INPUT;
  into.ipa = 0;
  into.fetchAddress = fetchAddress;
}

/** A fault of stage 2 while it translates an IPA for a purpose (`EVENT_CLASS`). */
export function stageTwoFault(
  into: Fault,
  event: number,
  control: FaultControl,
  purpose: number,
  ipa: number,
  fetchAddress = 0,
): void {
  into.event = event;
  into.control = isTranslationRelated(event) ? control : ABORT_AND_RECORD;
  into.stage2 = true;
  into.class = purpose;
  into.ipa = ipa;
  into.fetchAddress = fetchAddress;
}
