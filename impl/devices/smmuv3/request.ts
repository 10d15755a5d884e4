/** Memory as the device sees it: 64-bit words at addresses that are multiples of 8, as signed 32-bit lanes. */
export interface DeviceMemory {
  /** False where an access is answered with an external abort. */
  present(pa: number): boolean;
  low(pa: number): number;
  high(pa: number): number;
  /** The device writes event records only. */
  writeWord(pa: number, low: number, high: number): void;
}

/**
 * How a transaction arrives: an ordinary one, one that an ATC has translated already, or an ATS Translation Request
 * (IHI 0070 §3.9.1).
 */
export type RequestKind = 'untranslated' | 'translated' | 'ats';

/** A transaction of a client device. The address is given as two 32-bit lanes, signed or unsigned. */
export interface DeviceRequest {
  streamId: number;
  /** SubstreamID (PASID), or -1 for none. */
  substream: number;
  low: number;
  high: number;
  /** A write; for a Translation Request: write permission is asked for (NW = 0). */
  write: boolean;
  privileged: boolean;
  /** An instruction fetch; a write is always data (§13.1.2). */
  instruction: boolean;
  kind: RequestKind;
}

/** What became of a request. */
export type AnswerKind =
  /** It goes to `pa`. */
  | 'memory'
  /** It is refused, and an event says why: `event`, `recorded`, and `aborted` (else reads are zero, writes ignored). */
  | 'fault'
  /** It is aborted silently. */
  | 'abort'
  /** It waits until CMD_RESUME or CMD_STALL_TERM names `stag`. */
  | 'stalled'
  /** ATS Translation Completion with status Success: `completion` says what is granted. */
  | 'completion'
  /** ATS Translation Completion with status Unsupported Request, or Completer Abort. */
  | 'unsupported'
  | 'completer-abort';

/** What an ATS Translation Completion grants (§13.7.1). */
export interface Completion {
  /** Address of the granted region (an IPA with split-stage ATS), and log2 of its size in bytes. */
  address: number;
  sizeLog2: number;
  read: boolean;
  write: boolean;
  execute: boolean;
  /** The privilege that was asked for. */
  privileged: boolean;
}

/**
 * The answer to a request. The device has one for `translate` and writes it again with the next request; each
 * `Translation` that is stepped has its own. Fields that do not belong to the kind are stale.
 */
export interface DeviceAnswer {
  kind: AnswerKind;
  /** Physical address of the byte that was asked for. */
  pa: number;
  /** AttrIndx[2:0] and SH[1:0] in bits [4:3] of the stage 1 leaf; 0 if stage 1 does not translate. */
  attributes: number;
  /** MemAttr[3:0] and SH[1:0] in bits [5:4] of the stage 2 leaf; 0 if stage 2 does not translate. */
  stage2Attributes: number;
  /** Number of the event (`EVENT`) that refused the request. */
  event: number;
  /** The event was put forward to the event queue (which may have had no room). */
  recorded: boolean;
  /** The client sees an abort. */
  aborted: boolean;
  /** Stall tag. */
  stag: number;
  completion: Completion;
}

/** An answer to write into. */
export function emptyAnswer(): DeviceAnswer {
  return {
    kind: 'abort',
    // A fraction makes the engine keep the field as a double from the start, so that no address is ever boxed anew.
    pa: 0.5,
    attributes: 0,
    stage2Attributes: 0,
    event: 0,
    recorded: false,
    aborted: false,
    stag: 0,
    completion: { address: 0.5, sizeLog2: 0, read: false, write: false, execute: false, privileged: false },
  };
}
