import { Cell } from '../../../engine/cell.ts';
import { HarnessError } from '../../../engine/failure.ts';
import type { Machine } from '../../../engine/machine.ts';
import type { Slot } from '../../../engine/object.ts';
import type { CellFormat } from '../../../engine/store.ts';
import type { Mutex } from '../../../engine/sync/lock.ts';
import type { Refcount } from '../../../engine/sync/refcount.ts';

/** Requests that a list can hold: as many as a run can have. */
const LIST_MAX = 6;

/** A list of handles, newest last (`struct list_head`). Inside a step. */
export class HandleList {
  readonly #cells: readonly Cell[];

  constructor(cells: readonly Cell[]) {
    this.#cells = cells;
  }

  get handles(): number[] {
    return this.#cells.map((cell) => cell.value).filter((handle) => handle !== 0);
  }

  /** For a `Waitable`: whether there is anything in it. */
  isFilled(): boolean {
    return (this.#cells[0] as Cell).peek(0) !== 0;
  }

  add(handle: number): void {
    const free = this.#cells.find((cell) => cell.value === 0);
    if (free === undefined) throw new HarnessError(`more than ${this.#cells.length} requests in a list`);
    free.value = handle;
  }

  addFirst(handle: number): void {
    this.#fill([handle, ...this.handles]);
  }

  /** Takes those out for which `which` says so, and returns them in their order. */
  take(which: (handle: number) => boolean): number[] {
    const taken = this.handles.filter(which);
    this.#fill(this.handles.filter((handle) => !taken.includes(handle)));
    return taken;
  }

  #fill(handles: readonly number[]): void {
    for (const [at, cell] of this.#cells.entries()) cell.value = handles[at] ?? 0;
  }
}

function listOf(slot: Slot, field: string): HandleList {
  return new HandleList(Array.from({ length: LIST_MAX }, (_, at) => slot.cell(`${field}[${at}]`)));
}

/** In `pasid_array`: the PASID goes from one space to another (`XA_ZERO_ENTRY`). */
export const REPLACING = -1;

/** `struct iopf_fault`: a request that has been taken from the queue. */
export interface Iopf {
  readonly handle: number;
  /** The message, as the port reads it. */
  readonly code: Cell;
}

/** `struct iopf_group`. */
export interface IopfGroup {
  readonly handle: number;
  readonly name: string;
  /** The last request: what the response goes to. */
  readonly last: Cell;
  /** The other requests of the group, by handle. */
  readonly faults: HandleList;
  /** `attach_handle`. */
  readonly attached: Cell;
  /** `fault_param`. */
  readonly param: Cell;
  /** 1 while it has not been answered (`pending_node` is in `fault_param->faults`). */
  readonly pending: Cell;
}

/** `struct iommu_fault_param` of a device. */
export interface FaultParam {
  readonly handle: number;
  readonly lock: Mutex;
  readonly users: Refcount;
  /** Requests of groups whose last one has not come. */
  readonly partial: HandleList;
  /** Groups that have not been answered. */
  readonly faults: HandleList;
}

/** `struct iommu_attach_handle`: what a PASID of a device is attached to. */
export interface AttachHandle {
  readonly handle: number;
  readonly name: string;
  readonly pasid: Cell;
  /** The address space (`domain->mm`). */
  readonly space: Cell;
  /** `iommu_sva.users`, where processes are bound: how often that was. */
  readonly users: Refcount | undefined;
  /** The domain of that process. */
  readonly bound: Cell | undefined;
}

/** `struct device`, with what belongs to it for good. */
export interface IopfDevice {
  readonly handle: number;
  readonly index: number;
  readonly name: string;
  /** `iommu_group.mutex`: over what is attached. */
  readonly group: Mutex;
  /** `group->pasid_array`, by PASID: handle of an `AttachHandle`; 0: none. */
  readonly pasids: readonly Cell[];
  /** `dev->iommu->fault_param`: a handle; 0: it has none. */
  readonly param: Cell;
  /** `device_rbtree` of the IOMMU: 1 while it can be found by its RequesterID. */
  readonly known: Cell;
}

/** Lays out a request. */
export function iopfFields(slot: Slot, words: CellFormat): Iopf {
  return { handle: slot.handle, code: slot.cell('fault', words) };
}

/** Lays out a group. */
export function groupFields(slot: Slot, words: CellFormat): IopfGroup {
  return {
    handle: slot.handle,
    name: slot.name,
    last: slot.cell('last_fault', words),
    faults: listOf(slot, 'faults'),
    attached: slot.cell('attach_handle'),
    param: slot.cell('fault_param'),
    pending: slot.cell('pending'),
  };
}

/** Lays out a device's fault parameters. */
export function paramFields(slot: Slot): FaultParam {
  return {
    handle: slot.handle,
    lock: slot.mutex('lock'),
    users: slot.refcount('users'),
    partial: listOf(slot, 'partial'),
    faults: listOf(slot, 'faults'),
  };
}

/**
 * Lays out an attachment.
 *
 * @param shared it may be the bond of a device and a process.
 */
export function handleFields(slot: Slot, shared: boolean): AttachHandle {
  return {
    handle: slot.handle,
    name: slot.name,
    pasid: slot.cell('pasid'),
    space: slot.cell('domain', (_at, space) => `mm${space}`),
    users: shared ? slot.refcount('users') : undefined,
    bound: shared ? slot.cell('sva_domain', (_at, domain) => `sva_domain${domain - 1}`) : undefined,
  };
}

/** Lays out a device. */
export function deviceFields(machine: Machine, pasids: number, slot: Slot): IopfDevice {
  const index = slot.handle - 1;
  const name = `dev${index}`;
  return {
    handle: slot.handle,
    index,
    name,
    group: slot.mutex('group.mutex'),
    pasids: Array.from(
      { length: pasids + 1 },
      (_, pasid) =>
        new Cell(machine, `${name}.pasid_array[${pasid}]`, {
          format: (_at, handle) =>
            handle === 0 ? 'none' : handle === REPLACING ? 'being replaced' : `handle${handle - 1}`,
        }),
    ),
    param: slot.cell('fault_param'),
    known: new Cell(machine, `device_rbtree[${name}]`),
  };
}
