import { Cell } from '../../../../engine/cell.ts';
import type { Machine } from '../../../../engine/machine.ts';
import type { Slot } from '../../../../engine/object.ts';
import type { Refcount } from '../../../../engine/sync/refcount.ts';

/** `struct mm_struct`, as far as devices share it. */
export interface MmStruct {
  readonly handle: number;
  readonly name: string;
  /** Index of the space: what events call it. */
  readonly space: number;
  /** Who uses the address space; at 0 it is torn down. */
  readonly mm_users: Refcount;
  /** Who uses the structure; all users of the address space count as one. */
  readonly mm_count: Refcount;
  /** `iommu_mm->pasid`; 0: it has none yet. */
  readonly pasid: Cell;
  /** `iommu_mm->sva_domains`, of which there is at most one: its handle. */
  readonly domain: Cell;
  /** `notifier_subscriptions->list`, in which there is at most one: the domain that it is part of. */
  readonly notifier: Cell;
}

/** A domain for a process (`dmar_domain`, `arm_smmu_domain` of type `IOMMU_DOMAIN_SVA`), with its MMU notifier. */
export interface SvaDomain {
  readonly handle: number;
  readonly name: string;
  /** Handle of its `mm`. */
  readonly mm: Cell;
  /** `domain->users`: devices that are attached, under `iommu_sva_lock`. */
  readonly users: Cell;
  /** `dev_pasids`, by device: 1 if the device is in the list. Under the domain's spinlock. */
  readonly devices: readonly Cell[];
}

/** A process that opens devices: what its driver holds for it. */
export interface Process {
  readonly name: string;
  /** 1 until it exits. */
  readonly alive: Cell;
  /** By device: how many bonds the driver holds for it, and their handle. */
  readonly bonds: readonly Cell[];
  readonly handles: readonly Cell[];
}

/** Lays out an mm. */
export function mmFields(slot: Slot): MmStruct {
  const format = (_at: number, handle: number): string => (handle === 0 ? 'none' : `sva_domain${handle - 1}`);
  return {
    handle: slot.handle,
    name: slot.name,
    space: slot.handle - 1,
    mm_users: slot.refcount('mm_users'),
    mm_count: slot.refcount('mm_count'),
    pasid: slot.cell('pasid'),
    domain: slot.cell('sva_domains', format),
    notifier: slot.cell('notifier', format),
  };
}

/** Lays out a domain. */
export function domainFields(devices: number, slot: Slot): SvaDomain {
  return {
    handle: slot.handle,
    name: slot.name,
    mm: slot.cell('mm', (_at, handle) => (handle === 0 ? 'none' : `mm${handle - 1}`)),
    users: slot.cell('users'),
    devices: Array.from({ length: devices }, (_, device) => slot.cell(`dev_pasids[dev${device}]`)),
  };
}

/** Lays out a process. */
export function processFields(machine: Machine, devices: number, space: number): Process {
  const name = `process${space}`;
  const row = (field: string): Cell[] =>
    Array.from({ length: devices }, (_, device) => new Cell(machine, `${name}.${field}[dev${device}]`));
  return { name, alive: new Cell(machine, `${name}.alive`), bonds: row('bonds'), handles: row('sva') };
}
