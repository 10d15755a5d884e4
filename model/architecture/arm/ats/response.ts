import { EVENT } from '../layout/event.ts';
import { PERMISSION, type DirectOutcome } from '../outcomes/outcome.ts';
import type { RequestTreatment } from './ats-config.ts';

/** What a translation request asks for; reading is always asked for (IHI 0070 §13.7). */
export interface TranslationRequest {
  /** The NW flag is clear. */
  readonly write: boolean;
  /** Exe and Priv of the PASID prefix; without a PASID neither counts. */
  readonly instruction: boolean;
  readonly privileged: boolean;
}

/** How a translation request may be completed (§3.9.1.2). */
export type TranslationCompletion =
  | GrantedCompletion
  /** Success that grants nothing (R = W = 0): a Translation-related fault. Nothing is recorded. */
  | { readonly kind: 'denied' }
  /** Unsupported Request, with lanes of F_BAD_ATS_TREQ or without a record. */
  | { readonly kind: 'unsupported'; readonly record: readonly number[] | undefined }
  /** Completer Abort: a configuration error or an aborted fetch. Nothing is recorded, as REC_CFG_ATS is not implemented. */
  | { readonly kind: 'aborted' }
  | { readonly kind: 'unpredictable' };

/** Success. The U and Global flags are 0. */
export interface GrantedCompletion {
  readonly kind: 'granted';
  /** Translated address of the slot's page: a physical address, or an IPA with split-stage ATS. */
  readonly address: number;
  readonly read: boolean;
  /** 'maybe': permission that was not asked for need not be told. */
  readonly write: boolean | 'maybe';
  readonly execute: boolean;
}

/** What a translation that a request finds leads to. */
export type Answer =
  /** `granted` are bits of `PERMISSION`: all that the device can be granted by asking for it. */
  | { readonly kind: 'granted'; readonly address: number; readonly granted: number }
  | { readonly kind: 'denied' | 'aborted' | 'unpredictable' };

const { PR, PW, PX, UR, UW, UX } = PERMISSION;

/**
 * How a request ends where an ordinary access would have some outcome (§3.9.1.2).
 *
 * @param split whether the answer is the output of stage 1, with permissions from both stages all the same (§13.6.3).
 */
export function answerOf(outcome: DirectOutcome, pasid: boolean, split: boolean): Answer {
  switch (outcome.kind) {
    case 'translation': {
      const granted = grantedBy(outcome.permissions, outcome.override, pasid);
      const address = split && outcome.stage2 !== undefined ? outcome.stage2.ipa : outcome.pa;
      return granted === 0 ? { kind: 'denied' } : { kind: 'granted', address, granted };
    }
    case 'bypass':
      // Stage 1 is skipped by S1DSS, so there is no PASID: both permissions are granted (§13.6.4).
      return { kind: 'granted', address: outcome.pa, granted: UR | UW };
    case 'fault': {
      const { event } = outcome;
      const denied = event >= EVENT.F_TRANSLATION && event <= EVENT.F_PERMISSION;
      return { kind: denied ? 'denied' : 'aborted' };
    }
    case 'abort':
      return { kind: 'aborted' };
    case 'unpredictable':
      return { kind: 'unpredictable' };
  }
}

/**
 * Permissions that completions grant for a translation (§13.7.1), as bits of `PERMISSION`: those of privileged requests
 * in the privileged bits. A request without a PASID is unprivileged and never for execution.
 *
 * @param permissions of all stages of translation together.
 * @param override STE.PRIVCFG in bits [1:0] and INSTCFG in bits [3:2].
 */
export function grantedBy(permissions: number, override: number, pasid: boolean): number {
  const unprivileged = grantedTo(permissions, override, false);
  if (!pasid) return unprivileged & (UR | UW);
  // The three unprivileged bits lie above the privileged ones.
  return unprivileged | (grantedTo(permissions, override, true) >> 3);
}

/** Permissions for requests of one privilege, as unprivileged bits. */
function grantedTo(permissions: number, override: number, privileged: boolean): number {
  const privcfg = override & 3;
  const instcfg = (override >> 2) & 3;
  const asPrivileged = privcfg >= 2 ? privcfg === 3 : privileged;
  const readable = (permissions & (asPrivileged ? PR : UR)) !== 0;
  const writable = (permissions & (asPrivileged ? PW : UW)) !== 0;
  const executable = (permissions & (asPrivileged ? PX : UX)) !== 0;
  // With INSTCFG every read counts as an instruction (3) or as data (2); else execution needs reading too.
  const reads = instcfg === 3 ? executable : readable;
  const executes = instcfg === 2 ? readable : instcfg === 3 ? executable : readable && executable;
  return (reads ? UR : 0) | (writable ? UW : 0) | (executes ? UX : 0);
}

/** What a request sees of an answer (§13.7). */
export function completionOf(answer: Answer, request: TranslationRequest, pasid: boolean): TranslationCompletion {
  if (answer.kind !== 'granted') return { kind: answer.kind };
  const { address, granted } = answer;
  const privileged = pasid && request.privileged;
  const read = (granted & (privileged ? PR : UR)) !== 0;
  const writable = (granted & (privileged ? PW : UW)) !== 0;
  const execute = pasid && request.instruction && (granted & (privileged ? PX : UX)) !== 0;
  const write = writable && !request.write ? 'maybe' : writable;
  if (!read && write === false && !execute) return { kind: 'denied' };
  return { kind: 'granted', address, read, write, execute };
}

/** How a request ends that is refused before anything is translated. */
export function refusedCompletion(
  treatment: Exclude<RequestTreatment, 'translated' | 'stage1'>,
  record: () => readonly number[],
): TranslationCompletion {
  if (treatment === 'aborted') return { kind: 'aborted' };
  return { kind: 'unsupported', record: treatment === 'unsupportedRecorded' ? record() : undefined };
}
