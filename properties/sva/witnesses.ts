import type { Machine } from '../../engine/machine.ts';
import type { ContextNote } from '../../impl/kernel/arm64/index.ts';
import { Tallies } from '../tallies.ts';
import { KINDS, type SvaOperation } from './operations.ts';

/** What a fuzz run must sometimes reach; without it the checks may hold for want of anything to see. */
export const WITNESSES = {
  taken: 'a broadcast took an entry of the SMMU away',
  skipped: 'a command was left out, since the SMMU heard the broadcast',
  rolledOver: 'a roll-over while a device used a pinned ASID',
  reassigned: 'a private domain moved to another ASID, since a process has its number',
  bothReach: 'a CPU and a device could reach a page that was being unmapped',
  lastUnbind: 'the last device let go of an ASID',
  exitedBound: 'a process exited that a device used',
  keptOut: 'an entry of a private domain was not for the broadcast of a process with its number',
} as const;

/** Of what the allocator notes, what counts here too. */
const NOTES = [
  'running ASID reserved',
  'fast path after a roll-over',
  'no ASID left to pin',
] as const satisfies readonly ContextNote[];

/** The names of all that is counted. */
export const WITNESS_NAMES = [...Object.values(WITNESSES), ...NOTES];

/** Counts what happens. */
export class Witnesses extends Tallies<(typeof WITNESS_NAMES)[number], SvaOperation['op']> {
  constructor(machine: Machine) {
    super(machine, WITNESS_NAMES, KINDS);
  }

  /** A condition was reached. Inside a step. */
  reach(name: keyof typeof WITNESSES): void {
    this.noted(WITNESSES[name]);
  }

  /** The allocator notes something. Inside a step. */
  ofAllocator(note: ContextNote): void {
    const known = NOTES.find((candidate) => candidate === note);
    if (known !== undefined) this.noted(known);
  }
}
