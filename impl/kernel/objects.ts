import { Cell } from '../../engine/cell.ts';
import type { Machine } from '../../engine/machine.ts';
import type { Slot } from '../../engine/object.ts';
import { Mutex } from '../../engine/sync/lock.ts';
import type { Refcount } from '../../engine/sync/refcount.ts';
import { formatTags, hex } from './format.ts';

/** What a private domain and a process have in common: a page table, the tag it is cached under, and who must hear of it. */
export interface Space {
  readonly name: string;
  /** Index of the address space in the events of the contract. */
  readonly id: Cell;
  /** Physical address of the top-level table. */
  readonly pgd: Cell;
  /** ASID that context descriptors of this space are given from now on. Under `arm_smmu_asid_lock`. */
  readonly asid: Cell;
  /**
   * The invalidation set: every ASID under which the SMMU may hold something of this space (as `arm_smmu_invs` of
   * recent kernels). It is read without a lock, after the page table was changed; so it must be published before a
   * context descriptor with a new tag is, and shrink only after the old tag was flushed.
   */
  readonly invs: Cell;
}

/** `struct arm_smmu_domain`, stage 1. */
export interface Domain extends Space {
  readonly handle: number;
  /** Bit set of the devices attached. Under `arm_smmu_asid_lock`. */
  readonly devices: Cell;
}

/** `struct mm_struct`. */
export interface Mm extends Space {
  readonly handle: number;
  /** Number of the process, and of its bond fields. */
  readonly index: number;
  /** PASID of the process (`mm->pasid`). */
  readonly pasid: number;
  /** Users of the address space; the last one tears it down. */
  readonly mm_users: Refcount;
  /** References to the structure and its top-level table. */
  readonly mm_count: Refcount;
  /** How often the CPU ASID is pinned (`mm->context.pinned`). */
  readonly pinned: Cell;
  /** Handle of the shared context descriptor, 0 if the SMMU does not know this process. Under `arm_smmu_asid_lock`. */
  readonly cd: Cell;
  /** Bit set of the devices bound. Binds to different devices hold different locks, so bits are set and cleared atomically. */
  readonly bonds: Cell;
  /** 1 once `mm_release` has quieted the context descriptors (`arm_smmu_mmu_notifier.cleared`). */
  readonly cleared: Cell;
}

/** `struct arm_smmu_ctx_desc` of a process. */
export interface SharedCd {
  readonly handle: number;
  readonly refs: Refcount;
  readonly asid: Cell;
  /** Handle of the process. */
  readonly mm: Cell;
}

/** `struct arm_smmu_master`: one device, with one stream and its own table of context descriptors. */
export interface Master {
  readonly index: number;
  readonly name: string;
  readonly streamId: number;
  /** Physical address of its stream table entry. */
  readonly ste: number;
  /** Physical address of its table of context descriptors. */
  readonly cdTable: number;
  /** `iommu_group.mutex`: serialises changes of what the device is attached and bound to. */
  readonly group: Mutex;
  /** Handle of the domain attached, or 0. Under the group's mutex. */
  readonly domain: Cell;
  /** How often each process is bound, by process index (`arm_smmu_bond.refs`). Under the group's mutex. */
  readonly bondRefs: readonly Cell[];
}

const address = { format: (_offset: number, value: number): string => hex(value >>> 0) };

function spaceFields(slot: Slot): Space {
  return {
    name: slot.name,
    id: slot.cell('id'),
    pgd: slot.cell('pgd', address.format),
    asid: slot.buffered('asid'),
    invs: slot.buffered('invs', (_offset, set) => formatTags(set)),
  };
}

/** Lays out a private domain. */
export function domainFields(slot: Slot): Domain {
  return { ...spaceFields(slot), handle: slot.handle, devices: slot.buffered('devices') };
}

/** Lays out a process. */
export function mmFields(slot: Slot): Mm {
  return {
    ...spaceFields(slot),
    handle: slot.handle,
    index: slot.handle - 1,
    pasid: slot.handle,
    mm_users: slot.refcount('mm_users'),
    mm_count: slot.refcount('mm_count'),
    pinned: slot.cell('pinned'),
    cd: slot.buffered('cd'),
    bonds: slot.cell('bonds'),
    cleared: slot.buffered('cleared'),
  };
}

/** Lays out a shared context descriptor. */
export function sharedCdFields(slot: Slot): SharedCd {
  return { handle: slot.handle, refs: slot.refcount('refs'), asid: slot.cell('asid'), mm: slot.cell('mm') };
}

/** Lays out a device. */
export function masterFields(
  machine: Machine,
  place: { index: number; streamId: number; ste: number; cdTable: number; processes: number },
): Master {
  const name = `dev${place.index}`;
  return {
    index: place.index,
    name,
    streamId: place.streamId,
    ste: place.ste,
    cdTable: place.cdTable,
    group: new Mutex(machine, `${name}.group`),
    domain: new Cell(machine, `${name}.domain`),
    bondRefs: Array.from({ length: place.processes }, (_, process) => new Cell(machine, `${name}.bond${process}`)),
  };
}
