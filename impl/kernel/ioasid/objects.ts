import type { Cell } from '../../../engine/cell.ts';
import type { Slot } from '../../../engine/object.ts';
import type { Refcount } from '../../../engine/sync/refcount.ts';

/** State of a number. */
export const STATE = { ACTIVE: 1, FREE_PENDING: 2 } as const;

const STATES = ['none', 'active', 'free pending'];

/** `struct ioasid_data`: a number that has been given out. */
export interface IoasidData {
  readonly handle: number;
  readonly name: string;
  readonly id: Cell;
  /** Handle of the set that it belongs to. */
  readonly set: Cell;
  readonly owner: Cell;
  readonly refs: Refcount;
  /** One of `STATE`. */
  readonly state: Cell;
}

/** `struct ioasid_set`: the numbers of one owner. */
export interface IoasidSet {
  readonly handle: number;
  readonly name: string;
  readonly quota: Cell;
  /** Numbers that it has. */
  readonly count: Cell;
  /** 1 while it is open; a set that was closed goes with its last number. */
  readonly open: Cell;
  /** Those who have found it and look at it: it does not go under them. */
  readonly users: Cell;
  /** By guest PASID, the number that it leads to; 0: none. The guest PASIDs of a set are 1 … `SPIDS`. */
  readonly spids: readonly Cell[];
}

/** Guest PASIDs that a set may have. */
export const SPIDS = 2;

/** `struct ioasid_nb`: who hears of what happens to numbers. */
export interface IoasidListener {
  readonly handle: number;
  readonly name: string;
  /** Which place of the chains it has. */
  readonly place: Cell;
}

/** `struct intel_svm`: what is bound by a number. */
export interface IntelSvmObject {
  readonly handle: number;
  readonly name: string;
  /** Handle of the number's data, of which this is a reference. */
  readonly data: Cell;
  /** Bit set of the devices bound. */
  readonly devices: Cell;
}

/** Lays out the data of a number. */
export function dataFields(slot: Slot): IoasidData {
  return {
    handle: slot.handle,
    name: slot.name,
    id: slot.cell('id'),
    set: slot.cell('set'),
    owner: slot.cell('owner'),
    refs: slot.refcount('refs'),
    state: slot.cell('state', (_at, state) => STATES[state] ?? '?'),
  };
}

/** Lays out a set. */
export function setFields(slot: Slot): IoasidSet {
  return {
    handle: slot.handle,
    name: slot.name,
    quota: slot.cell('quota'),
    count: slot.cell('nr_ioasids'),
    open: slot.cell('open'),
    users: slot.cell('users'),
    spids: Array.from({ length: SPIDS + 1 }, (_, spid) => slot.cell(`spid${spid}`)),
  };
}

/** Lays out a listener. */
export function listenerFields(slot: Slot): IoasidListener {
  return { handle: slot.handle, name: slot.name, place: slot.cell('place') };
}

/** Lays out what is bound. */
export function svmFields(slot: Slot): IntelSvmObject {
  return { handle: slot.handle, name: slot.name, data: slot.cell('ioasid'), devices: slot.cell('devs') };
}
