import { EVENT, EVENT_IPA, EVENT_RECORD } from '../../../model/architecture/arm/layout/event.ts';
import { bits, write } from '../../../model/architecture/arm/layout/layout.ts';
import { isTranslationRelated, type Fault } from './fault.ts';

/** The parts of a transaction that its event record names; privilege and instruction are those after STE overrides. */
export interface Recorded {
  readonly streamId: number;
  readonly substream: number;
  readonly low: number;
  readonly high: number;
  readonly write: boolean;
  readonly privileged: boolean;
  readonly instruction: boolean;
}

const f = EVENT_RECORD.fields;
/** TTRnW of F_PERMISSION: the direction of the access to the table that was refused (IHI 0070 §7.3.16). */
const TT_READ = bits(108);

/**
 * Writes the event record of a fault (§7.3) into eight lanes. Fields that an event does not have are 0, and so are those
 * that are UNKNOWN.
 *
 * @param stag stall tag, or -1 if the transaction does not stall.
 */
export function writeEventRecord(into: Int32Array, fault: Fault, of: Recorded, stag: number): void {
  const { event } = fault;
  into.fill(0);
  write(f.Event, into, event);
  write(f.StreamID, into, of.streamId >>> 0);
  if (of.substream >= 0) {
    // C_BAD_SUBSTREAMID has no SSV: its SubstreamID is always valid (§7.3.9).
    if (event !== EVENT.C_BAD_SUBSTREAMID) write(f.SSV, into, 1);
    write(f.SubstreamID, into, of.substream);
  }
  const walkAborted = event === EVENT.F_WALK_EABT;
  if (isTranslationRelated(event) || walkAborted) {
    if (stag >= 0) {
      write(f.Stall, into, 1);
      write(f.STAG, into, stag);
    }
    writeAccess(into, of);
    if (fault.stage2) write(f.S2, into, 1);
    write(f.CLASS, into, fault.class);
    if (fault.stage2 && !walkAborted) write(EVENT_IPA, into, Math.floor(fault.ipa / 4096) * 4096);
    // Tables are only ever read, since hardware update of flags is not implemented.
    if (event === EVENT.F_PERMISSION && fault.stage2 && fault.class === 1) write(TT_READ, into, 1);
  } else if (event === EVENT.F_TRANSL_FORBIDDEN || event === EVENT.F_BAD_ATS_TREQ) {
    if (event === EVENT.F_TRANSL_FORBIDDEN && !of.write) write(f.RnW, into, 1);
    writeAddress(into, of);
  }
  if (walkAborted || event === EVENT.F_STE_FETCH || event === EVENT.F_CD_FETCH)
    write(f.FetchAddr, into, fault.fetchAddress);
}

function writeAccess(into: Int32Array, of: Recorded): void {
  if (!of.write) write(f.RnW, into, 1);
  if (of.instruction && !of.write) write(f.InD, into, 1);
  if (of.privileged) write(f.PnU, into, 1);
  writeAddress(into, of);
}

function writeAddress(into: Int32Array, of: Recorded): void {
  write(f.InputAddrLow, into, of.low >>> 0);
  write(f.InputAddrHigh, into, of.high >>> 0);
}
