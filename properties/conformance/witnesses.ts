/** Which of the conditions that make a run worth something a program has reached. */
import type { Context } from './configuration.ts';
import type { PartAnswer } from './deviation.ts';
import type { Operation } from './operation.ts';
import type { ConformanceProgram } from './program.ts';
import { GuestWitnesses, guestWitnessNames } from './witnesses-guest.ts';

/** Conditions that a stateless check of single walks cannot reach. */
export const witnessNames = [
  'cached-hit-after-change',
  'changed-configuration',
  'changed-upper-level',
  'read-then-write-through-cached-entry',
  'same-address-under-other-tag',
  ...guestWitnessNames,
] as const;

/** Name of a witness. */
export type Witness = (typeof witnessNames)[number];

/** An answer of a run, by operation. */
export interface Answered {
  readonly operation: number;
  readonly part: 'read' | 'write';
  readonly answer: PartAnswer;
  /** Number of outcomes that were permitted; more than one means that something old may still be held. */
  readonly choices: number;
}

interface Seen {
  /** Last address that an access of a slot reached. */
  readonly reached: Map<string, number>;
  readonly readAt: Map<string, number>;
  readonly tagsOf: Map<string, string>;
  readonly attached: number[];
  changedEntry: boolean;
  changedUpper: boolean;
  changedConfiguration: boolean;
  lastCommand: number;
}

const noteOperation = (seen: Seen, operation: Operation, index: number): void => {
  const accessed = seen.tagsOf.size > 0;
  if (operation.kind === 'ste') seen.attached[operation.stream] = operation.context;
  if (operation.kind === 'command') seen.lastCommand = index;
  if (!accessed) return;
  if (operation.kind === 'leaf' || operation.kind === 'clear' || operation.kind === 'table') {
    seen.changedEntry = true;
    if (operation.place.level < 3) seen.changedUpper = true;
  }
  if (['ste', 'cd', 'stream-table', 'stream-format'].includes(operation.kind)) seen.changedConfiguration = true;
};

/** The witnesses that a program reached, given the answers of its run in order. */
export const witnessesOf = (program: ConformanceProgram, answers: readonly Answered[]): Set<Witness> => {
  const found = new Set<Witness>();
  const seen: Seen = {
    reached: new Map(),
    readAt: new Map(),
    tagsOf: new Map(),
    attached: [],
    changedEntry: false,
    changedUpper: false,
    changedConfiguration: false,
    lastCommand: -1,
  };
  const guests = new GuestWitnesses(program.configuration);
  let at = 0;
  for (const [index, operation] of program.operations.entries()) {
    noteOperation(seen, operation, index);
    guests.note(operation);
    if (operation.kind !== 'access') continue;
    const slot = `${operation.stream}/${operation.page}/${operation.half}/${operation.tag ?? ''}`;
    const page = `${operation.page}/${operation.half}`;
    const { vmid, asid } = program.configuration.contexts[seen.attached[operation.stream] ?? 0] as Context;
    const tags = `${vmid}:${asid}`;
    if ((seen.tagsOf.get(page) ?? tags) !== tags) found.add('same-address-under-other-tag');
    seen.tagsOf.set(page, tags);
    if (seen.changedUpper) found.add('changed-upper-level');
    if (seen.changedConfiguration) found.add('changed-configuration');
    for (; answers[at]?.operation === index; at++) {
      const { part, answer, choices } = answers[at] as Answered;
      guests.answer(operation, answer, choices);
      if (answer.part.kind !== 'memory') continue;
      const { pa } = answer.part;
      if (seen.changedEntry && choices > 1 && seen.reached.get(slot) === pa) found.add('cached-hit-after-change');
      if (part === 'write' && (seen.readAt.get(slot) ?? -1) > seen.lastCommand)
        found.add('read-then-write-through-cached-entry');
      if (part === 'read') seen.readAt.set(slot, index);
      seen.reached.set(slot, pa);
    }
  }
  for (const name of guests.found) found.add(name);
  return found;
};
