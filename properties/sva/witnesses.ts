import type { Task } from '../../engine/step.ts';
import type { Machine } from '../../engine/machine.ts';
import type { ContextNote } from '../../impl/kernel/arm64/index.ts';
import { counted } from '../counted.ts';
import type { Counters } from '../family.ts';
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
const NOTES: readonly ContextNote[] = ['running ASID reserved', 'fast path after a roll-over', 'no ASID left to pin'];

type Witness = keyof typeof WITNESSES;
const NAMES = Object.keys(WITNESSES) as Witness[];
const FIRST_NOTE = NAMES.length;
const FIRST_OPERATION = FIRST_NOTE + NOTES.length;

/** Counts what happens, outside the store: nothing that runs may depend on it. */
export class Witnesses {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** The set-up is done: what happens from now on counts. */
  start(): void {
    this.#machine.tallies.fill(0);
  }

  /** What was counted so far. */
  get counters(): Counters {
    const of = (index: number): number => this.#machine.tallies[index] ?? 0;
    return {
      witnesses: Object.fromEntries([
        ...NAMES.map((name, index) => [WITNESSES[name], of(index)] as const),
        ...NOTES.map((note, index) => [note, of(FIRST_NOTE + index)] as const),
      ]),
      operations: Object.fromEntries(
        KINDS.map((op, index) => [
          op,
          { run: of(FIRST_OPERATION + 2 * index), rejected: of(FIRST_OPERATION + 2 * index + 1) },
        ]),
      ),
    };
  }

  /** A condition was reached. Inside a step. */
  reach(name: Witness): void {
    this.#machine.tally(NAMES.indexOf(name));
  }

  /** The allocator notes something. Inside a step. */
  noted(note: ContextNote): void {
    const at = NOTES.indexOf(note);
    if (at >= 0) this.#machine.tally(FIRST_NOTE + at);
  }

  /** Runs an operation and counts it: see `counted`. */
  counted(op: SvaOperation['op'], task: Task<boolean>): Task {
    return counted(this.#machine, FIRST_OPERATION + 2 * KINDS.indexOf(op), task);
  }
}

/** The names of all that is counted. */
export const WITNESS_NAMES: readonly string[] = [...Object.values(WITNESSES), ...NOTES];
