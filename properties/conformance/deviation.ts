/** What a device answered and what it was permitted to answer: plain data. */
import type { EventRecord, QemuEnding } from '../../impl/qemu/index.ts';
import type { Part } from './device.ts';

/** One outcome that the architecture permits to a read or a write. */
export type Permitted =
  | { readonly kind: 'memory'; readonly pa: number }
  | {
      readonly kind: 'fault';
      /** Event number (IHI 0070 §7.3). */
      readonly event: number;
      /** Whether the fault is recorded; a fault that is not recorded is a silent abort (CD.R, §5.5). */
      readonly recorded: boolean;
      /** FetchAddr, for the events that have it. */
      readonly fetchAddress: number;
      /** Of a fault of stage 2: what was being translated (CLASS), and the IPA, a multiple of 4 KiB. */
      readonly stage2?: { readonly class: number; readonly ipa: number };
    }
  | { readonly kind: 'abort' };

/** How an answer differs from all that is permitted. */
export type Difference =
  /** The access went through, where every permitted outcome is a fault or an abort. */
  | 'allowed'
  /** It went to another address than any permitted one. */
  | 'wrong-address'
  /** It was refused, where every permitted outcome lets it through. */
  | 'refused'
  /** It was refused with another event than any permitted one. */
  | 'wrong-event'
  /** It was refused without an event, where one must be recorded. */
  | 'missing-event'
  /** An event was recorded where none may be. */
  | 'unexpected-event'
  /** The right event, with a wrong field. */
  | 'event-field'
  /** The event queue does not say that records were lost, or says something else besides. */
  | 'event-queue'
  /** A command was carried out that must stop the queue. */
  | 'command-accepted'
  /** A command stopped the queue that must be carried out. */
  | 'command-rejected'
  /** The device died or stopped answering. */
  | 'device-lost';

/** One of two devices that are compared. */
export type Side = 'first' | 'second';

/** A difference between a device and the architecture, at one operation of a program. */
export interface Deviation {
  /** Index of the operation. */
  readonly operation: number;
  readonly part: 'read' | 'write' | 'command' | 'device';
  readonly difference: Difference;
  /**
   * The answer by its kind: `access`, `silent`, names of events, `event.field`, the opcode of a command, or how the device
   * ended.
   */
  readonly found: string;
  /** The kinds of what is permitted, sorted: `access`, `abort`, names of events (with `silently` if not recorded). */
  readonly expected: readonly string[];
  /** What the device answered to a read or a write, as data; not part of a finding. */
  readonly observed?: PartAnswer;
  /** What the device answered, in words. */
  readonly answer: string;
  /** What is permitted, in words. */
  readonly permitted: readonly string[];
  /** How the device ended, if it was lost. */
  readonly ending?: QemuEnding;
  /** Of two devices that were compared: the one whose deviation this is. */
  readonly side?: Side;
  /** How the other deviates at this place, if it does (`found`). */
  readonly otherwise?: string;
}

/** An answer to a read or a write with the event records that belong to it. */
export interface PartAnswer {
  readonly part: Part;
  readonly events: readonly EventRecord[];
}

/**
 * Whether a candidate shows the deviation of an original, for minimising and for replay: the same kind of answer, where no
 * more is permitted than was. (Less may be: what is permitted besides, because something is not invalidated yet, goes as
 * the program shrinks.)
 */
export const sameDifference = (candidate: Deviation, original: Deviation): boolean => {
  if (candidate.side !== original.side || candidate.otherwise !== original.otherwise) return false;
  return candidate.part === 'command' || candidate.part === 'device'
    ? candidate.difference === original.difference && candidate.found === original.found
    : candidate.found === original.found && candidate.expected.every((kind) => original.expected.includes(kind));
};
