import { Cell } from '../../../engine/cell.ts';
import type { Machine } from '../../../engine/machine.ts';
import type { Slot } from '../../../engine/object.ts';
import { Mutex } from '../../../engine/sync/lock.ts';
import { hex } from '../format.ts';
import type { Master, Space } from '../objects.ts';
import { formatInvs, type InvsTable } from './invs.ts';

/** Which tables a paging domain has. */
export const STAGE = { S1: 1, S2: 2 } as const;

/** `struct arm_smmu_domain` of stage 1 or 2. `asid` is 0 at stage 2; `invs` is the number of a set in the `InvsTable`. */
export interface PagingDomain extends Space {
  readonly handle: number;
  /** One of `STAGE`. */
  readonly stage: Cell;
  /** VMID of a stage 2 domain (`s2_cfg.vmid`), else 0. */
  readonly vmid: Cell;
}

/** `struct arm_smmu_nested_domain`: what the hypervisor took over from a guest's stream table entry. */
export interface NestedDomain {
  readonly handle: number;
  readonly name: string;
  /** Lanes of words 0 and 1 of the guest's entry, validated: nothing else of it is ever looked at again. */
  readonly ste: readonly Cell[];
  /** 1 if the guest wants ATS (`enable_ats`). */
  readonly ats: Cell;
}

/** What a device translates by, as the hypervisor's driver sees it. All that never changes of it while it is that. */
export type AttachedTo =
  | { readonly kind: 'blocked' | 'bypass' }
  | { readonly kind: 'stage 1' | 'stage 2'; readonly handle: number }
  | { readonly kind: 'nested'; readonly handle: number; readonly ats: boolean };

/** A device (`struct arm_smmu_master`), with what nesting and ATS add to it. */
export interface Device {
  readonly index: number;
  readonly master: Master;
  /** Code of an `AttachedTo`; see `attachedCode`. Under the group's mutex. */
  readonly attached: Cell;
  /** 1 from the end of an attach by which the device translates by its guest's context descriptor to that of the next. */
  readonly translatesForGuest: Cell;
  /** 1 while ATS is enabled in the device's PCI configuration (`ats_enabled`). Under the group's mutex. */
  readonly atsEnabled: Cell;
  /** Virtual StreamID + 1 that stands for the device in the viommu's map; 0: none. Under the viommu's lock. */
  readonly vsid: Cell;
  /** Guest: virtual StreamID + 1 under which it has the device, as its firmware tables say; 0: it has none. */
  readonly plugged: Cell;
  /** Guest: serialises changes of the device's virtual configuration. */
  readonly guestMutex: Mutex;
  /** Guest: what its stream table entry says: 0 abort, 1 bypass, 2 stage 1. Under the guest's mutex. */
  readonly guestConfig: Cell;
  /** Guest: index of the address space that its context descriptor leads to. Under the guest's mutex. */
  readonly guestSpace: Cell;
}

const KINDS = ['blocked', 'bypass', 'stage 1', 'stage 2', 'nested'] as const;
const KIND_UNIT = 8;
const HANDLE_UNIT = 16;

/** An `AttachedTo` as a number, for a cell. */
export function attachedCode(to: AttachedTo): number {
  const ats = to.kind === 'nested' && to.ats ? KIND_UNIT : 0;
  return KINDS.indexOf(to.kind) + ats + ('handle' in to ? HANDLE_UNIT * to.handle : 0);
}

/** The `AttachedTo` of a number. */
export function attachedOf(code: number): AttachedTo {
  const kind = KINDS[code % KIND_UNIT] ?? 'blocked';
  const handle = Math.floor(code / HANDLE_UNIT);
  if (kind === 'blocked' || kind === 'bypass') return { kind };
  return kind === 'nested' ? { kind, handle, ats: (code & KIND_UNIT) !== 0 } : { kind, handle };
}

function attachedText(code: number): string {
  const to = attachedOf(code);
  if (to.kind === 'nested') return `nested${to.handle - 1}`;
  return 'handle' in to ? `domain${to.handle - 1}` : to.kind;
}

/** Lays out a paging domain. */
export function pagingFields(machine: Machine, table: InvsTable, slot: Slot): PagingDomain {
  const pgd = slot.cell('pgd', (_offset, value) => hex(value >>> 0));
  // The next cell of the store is that of `invs`.
  table.means(machine.store.size);
  return {
    invs: slot.buffered('invs', (_offset, set) => formatInvs(table.at(set))),
    name: slot.name,
    handle: slot.handle,
    id: slot.cell('id'),
    pgd,
    asid: slot.buffered('asid'),
    stage: slot.cell('stage'),
    vmid: slot.cell('vmid'),
  };
}

/** Lays out a nested domain. */
export function nestedFields(slot: Slot): NestedDomain {
  const lane = (name: string): Cell => slot.cell(name, (_offset, value) => hex(value >>> 0));
  return {
    handle: slot.handle,
    name: slot.name,
    ste: ['ste[0].low', 'ste[0].high', 'ste[1].low', 'ste[1].high'].map(lane),
    ats: slot.cell('enable_ats'),
  };
}

/** Lays out what a device has beside its master. */
export function deviceFields(machine: Machine, master: Master): Device {
  const { name, index } = master;
  return {
    index,
    master,
    attached: new Cell(machine, `${name}.domain`, { format: (_offset, code) => attachedText(code) }),
    translatesForGuest: new Cell(machine, `${name}.translates for guest`, { internal: true }),
    atsEnabled: new Cell(machine, `${name}.ats_enabled`),
    vsid: new Cell(machine, `${name}.vsid`),
    plugged: new Cell(machine, `v${name}.plugged`),
    guestMutex: new Mutex(machine, `v${name}.mutex`),
    guestConfig: new Cell(machine, `v${name}.config`),
    guestSpace: new Cell(machine, `v${name}.space`),
  };
}
