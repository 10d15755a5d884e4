import type { Machine } from '../../engine/machine.ts';
import { step, Step, type Result, type Task } from '../../engine/step.ts';
import type { VmidNote } from '../../impl/kernel/kvm/index.ts';
import type { Loss } from '../../model/contract/invalidation.ts';
import type { Counters } from '../family.ts';
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

const NAMES = Object.keys(WITNESSES) as Witness[];
const KINDS = Object.keys(ARGUMENTS) as BtmOperation['op'][];
const VMIDS_MAX = 272;
/** Tallies: one for each witness, then two for each kind of operation (run, rejected). */
const FIRST_OPERATION = NAMES.length;

const OF_NOTES: Partial<Record<VmidNote, Witness>> = {
  'roll-over': 'rollover',
  'second roll-over': 'rollover',
  'pinned VMID kept': 'rolloverPinned',
  'running VMID reserved': 'rolloverRunning',
  'no VMID left to pin': 'noPin',
};
const OF_LOSSES: Partial<Record<Loss, Witness>> = { machine: 'machineLoss', unrelated: 'unrelatedLoss' };

/** Counts what happens, outside the store: nothing that runs may depend on it. */
export class Witnesses {
  readonly #machine: Machine;

  /** For each VMID of the SMMU, the space that had it last, plus 1. */
  readonly #last: number;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#last = machine.store.reserve(VMIDS_MAX, 'owner of a VMID');
  }

  /** A space has a VMID in the SMMU from now on. */
  assigned(vmid: number, space: number): void {
    const { store } = this.#machine;
    const before = store.get(this.#last + vmid);
    if (before !== 0 && before !== space + 1) this.reach('vmidReused');
    store.set(this.#last + vmid, space + 1);
  }

  /** The set-up is done: what happens from now on counts. */
  start(): void {
    this.#machine.tallies.fill(0);
  }

  /** What was counted so far. */
  get counters(): Counters {
    const { tallies } = this.#machine;
    const of = (index: number): number => tallies[index] ?? 0;
    const operation = (index: number): { run: number; rejected: number } => ({
      run: of(FIRST_OPERATION + 2 * index),
      rejected: of(FIRST_OPERATION + 2 * index + 1),
    });
    return {
      witnesses: Object.fromEntries(NAMES.map((name, index) => [WITNESSES[name], of(index)])),
      operations: Object.fromEntries(KINDS.map((op, index) => [op, operation(index)])),
    };
  }

  /** Something happened, inside a step. */
  reach(name: Witness): void {
    this.#machine.tally(NAMES.indexOf(name));
  }

  /** The allocator has noted something. */
  noted(note: VmidNote): void {
    const name = OF_NOTES[note];
    if (name !== undefined) this.reach(name);
  }

  /** A broadcast has taken an entry away. */
  lost(loss: Loss): void {
    const name = OF_LOSSES[loss];
    if (name !== undefined) this.reach(name);
  }

  /** Runs an operation and counts it: run at its first step, rejected if its task says so. */
  *counted(op: BtmOperation['op'], task: Task<boolean>): Task {
    const index = FIRST_OPERATION + 2 * KINDS.indexOf(op);
    let { value, done } = task.next();
    if (!done && value instanceof Step) {
      const first = value;
      const run = (): Result => {
        this.#machine.tally(index);
        return first.run();
      };
      value = new Step(first.label, run, first.wait, () => undefined);
    }
    while (!done) {
      const result: unknown = yield value as Step;
      ({ value, done } = task.next(result as never));
    }
    if (value === false)
      yield* step('rejected: it does not apply', () => {
        this.#machine.tally(index + 1);
        return undefined;
      });
  }
}
