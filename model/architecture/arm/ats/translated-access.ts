import { EVENT, EVENT_RECORD } from '../layout/event.ts';
import { encode } from '../layout/layout.ts';
import { allows, overridden, resultOf, type Access, type AccessResult } from '../outcomes/event-record.ts';
import { PERMISSION, type DirectOutcome, type OutcomeTable, type TranslatedOutcome } from '../outcomes/outcome.ts';
import type { Slot } from '../universe.ts';
import type { TranslationRequest } from './response.ts';

const { PR, PW, PX, UR, UW, UX } = PERMISSION;

/** An access with an address from the ATC, of which it is known how the SMMU ends it. */
export function translatedOutcome(
  outcomes: OutcomeTable,
  address: number,
  granted: number,
  end: DirectOutcome,
): TranslatedOutcome {
  let permissions = 0;
  if (end.kind === 'bypass') permissions = granted;
  if (end.kind === 'translation') {
    if (mayAt(end, false)) permissions |= granted & (PR | PX | UR | UX);
    if (mayAt(end, true)) permissions |= granted & (PW | UW);
  }
  return outcomes.translated(address, granted, end, permissions);
}

/**
 * What it means for an access of a slot; undefined if the device does not make it so, since it has not been granted the
 * permission. Without a PASID an access is unprivileged data (IHI 0070 §13.7).
 */
export function translatedResult(outcome: TranslatedOutcome, slot: Slot, access: Access): AccessResult | undefined {
  const pasid = slot.substream >= 0;
  const asked = pasid ? access : { ...access, privileged: false, instruction: false };
  return allows(outcome.granted, asked) ? translatedEnd(outcome, slot.streamId, access.write) : undefined;
}

/** What happens to an access with an address from the ATC, whatever the device was granted. */
export function translatedEnd(
  { end, address }: Pick<TranslatedOutcome, 'end' | 'address'>,
  streamId: number,
  write: boolean,
): AccessResult {
  // The PASID of a translated access is not looked at (IDR3.PASIDTT = 0): unprivileged data without SubstreamID (§3.9.1.3).
  const result = resultOf(end, { streamId, substream: -1, va: address }, asData(write));
  if (result.kind !== 'fault' || result.event !== EVENT.F_TRANSL_FORBIDDEN) return result;
  return { ...result, record: forbiddenRecord(streamId, address, write) };
}

function asData(write: boolean): Access {
  return { write, privileged: false, instruction: false };
}

function mayAt(end: DirectOutcome & { readonly kind: 'translation' }, write: boolean): boolean {
  return allows(end.permissions, overridden(asData(write), end.override));
}

/** F_TRANSL_FORBIDDEN (§7.3.8): the input address is the one that the device believed to be translated. */
function forbiddenRecord(streamId: number, address: number, write: boolean): number[] {
  return encode(EVENT_RECORD, {
    Event: EVENT.F_TRANSL_FORBIDDEN,
    StreamID: streamId,
    RnW: write ? 0 : 1,
    InputAddrLow: address % 2 ** 32,
    InputAddrHigh: Math.floor(address / 2 ** 32),
  });
}

/**
 * F_BAD_ATS_TREQ (§7.3.6). The positions of the permissions asked for and of the span are not in the text at hand: they
 * are 0 here, and not to be compared.
 */
export function badRequestRecord({ streamId, substream, va }: Slot, _request: TranslationRequest): number[] {
  return encode(EVENT_RECORD, {
    Event: EVENT.F_BAD_ATS_TREQ,
    SSV: substream >= 0 ? 1 : 0,
    SubstreamID: Math.max(0, substream),
    StreamID: streamId,
    InputAddrLow: va % 2 ** 32,
    InputAddrHigh: Math.floor(va / 2 ** 32),
  });
}
