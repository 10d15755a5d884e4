import type { Machine } from '../../engine/machine.ts';
import type { Store } from '../../engine/store.ts';
import type { VmidNote } from '../../impl/kernel/kvm/index.ts';
import { kindsOf } from '../flat-operations.ts';
import { Tallies } from '../tallies.ts';
import { ARGUMENTS, type BtmOperation } from './operations.ts';

/** What a fuzz run must sometimes reach; without it the checks may hold for want of anything to see. */
export const WITNESSES = {
  machineLoss: 'broadcast of a VM takes entries of its own devices from the SMMU',
  unrelatedLoss: 'broadcast of a VM takes entries of an unrelated stage 2 from the SMMU',
  guestTlbi: 'TLBI of the guest takes an entry from the SMMU that a command would have had to',
  guestCommand: 'guest unmaps by a command while its device reaches the page',
  pinned: 'VMID pinned for a device',
  rollover: 'roll-over',
  rolloverPinned: 'roll-over with a pinned VMID',
  rolloverRunning: 'roll-over with a running VM',
  noPin: 'no VMID left to pin',
  vmidReused: 'VMID of the SMMU given to a second owner',
  kvmOutlives: 'VM closed while a domain uses its VMID',
  unmapNested: 'stage 2 page unmapped while a nested device reaches memory through it',
} as const;

/** One of the witnesses. */
export type Witness = keyof typeof WITNESSES;

const VMIDS_MAX = 272;

const OF_NOTES: Partial<Record<VmidNote, Witness>> = {
  'roll-over': 'rollover',
  'second roll-over': 'rollover',
  'pinned VMID kept': 'rolloverPinned',
  'running VMID reserved': 'rolloverRunning',
  'no VMID left to pin': 'noPin',
};

/** Counts what happens. */
export class Witnesses extends Tallies<(typeof WITNESSES)[Witness], BtmOperation['op']> {
  readonly #store: Store;
  /** For each VMID of the SMMU, the space that had it last, plus 1. */
  readonly #last: number;

  constructor(machine: Machine) {
    super(machine, Object.values(WITNESSES), kindsOf(ARGUMENTS));
    this.#store = machine.store;
    this.#last = machine.store.reserve(VMIDS_MAX, 'owner of a VMID');
  }

  /** A space has a VMID in the SMMU from now on. */
  assigned(vmid: number, space: number): void {
    const store = this.#store;
    const before = store.get(this.#last + vmid);
    if (before !== 0 && before !== space + 1) this.reach('vmidReused');
    store.set(this.#last + vmid, space + 1);
  }

  /** Something happened, inside a step. */
  reach(name: Witness): void {
    this.noted(WITNESSES[name]);
  }

  /** The allocator has noted something. */
  ofAllocator(note: VmidNote): void {
    const name = OF_NOTES[note];
    if (name !== undefined) this.reach(name);
  }
}
