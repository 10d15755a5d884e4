import type { Waitable } from '../../../engine/waitable.ts';

/** A page request as the driver reads it from the queue. */
export interface Prm {
  readonly device: number;
  readonly pasid: number;
  readonly group: number;
  readonly last: boolean;
  /** A Stop Marker. */
  readonly stop: boolean;
  readonly page: number;
  /** Number of the message, which the driver only hands on to those who check it. */
  readonly id: number;
}

/** What a page group response says: try again; do not; or: ask for nothing any more (PCIe ATS, Response Failure). */
export type PageResponse = 'Success' | 'Invalid' | 'Failure';

/** What the driver has of the hardware: registers, memory and the invalidation queue. Each called inside a step. */
export interface PriPort {
  /** PQH and PQT. */
  readonly head: number;
  readonly tail: number;
  writeHead(head: number): void;
  after(place: number): number;
  /** The message in a place, as a number. */
  read(place: number): number;
  /** The fields of such a number. */
  decode(code: number): Prm;
  /** Such a number in words, for reports. */
  words(code: number): string;
  /** PRS.PPR and PRS.PRO. */
  clearPending(): void;
  readonly overflow: boolean;
  clearOverflow(): void;
  /** An interrupt is pending. */
  readonly interrupt: Waitable;
  /** A PASID of a device leads to a space from now on; -1: to nothing. */
  writeEntry(device: number, pasid: number, space: number): void;
  /** If there is an entry, it refuses everything from now on, and no fault is told of (VT-d: FPD; SMMU: EPD0, R = 0). */
  quietEntry(device: number, pasid: number): void;
  /** Nothing is cached of an entry any more. */
  flushEntry(device: number, pasid: number): void;
  /** Nothing that the device sent before is on its way any more: what a device-TLB invalidation waits for. */
  arrived(device: number): Waitable;
  /** CMD_STALL_TERM: all that is stalled of a device is terminated. */
  terminate(device: number): void;
  /** A page group response. */
  respond(device: number, pasid: number, group: number, response: PageResponse): void;
}
