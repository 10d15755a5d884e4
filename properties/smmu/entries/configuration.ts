import fc from 'fast-check';
import type { Configuration, Operation } from '../../family.ts';
import { CDS, STES, type EntryContent } from './configurations.ts';

/** Which entry is rewritten: the stream table entry, or the context descriptor of a PASID in a table of one or two levels. */
export type Subject = 'ste' | 'cd' | 'cd-two-level';

/** The world that a program starts in. */
export interface EntriesConfiguration extends Configuration {
  readonly subject: Subject;
  /** What the entry holds at the start: an index into `contentsOf(subject)`. */
  readonly initial: number;
  /** Stores that each CPU may have pending, 1 or 2; 0: every store is in memory at once. */
  readonly weak: number;
}

/** The one kind of operation: the entry becomes that content. */
export interface UpdateOperation extends Operation {
  readonly op: 'update';
  readonly to: number;
}

const SUBJECTS: readonly Subject[] = ['ste', 'cd', 'cd-two-level'];
const WEAK_MAX = 2;

/** What the entry may hold. */
export function contentsOf(subject: Subject): readonly EntryContent[] {
  return subject === 'ste' ? STES : CDS;
}

/** Index of a content by name. @throws RangeError if there is none. */
export function contentNamed(subject: Subject, name: string): number {
  const index = contentsOf(subject).findIndex((content) => content.name === name);
  if (index < 0) throw new RangeError(`there is no content "${name}" of ${subject}`);
  return index;
}

/** Random worlds. */
export const configurations: fc.Arbitrary<EntriesConfiguration> = fc
  .record({ subject: fc.constantFrom(...SUBJECTS), pick: fc.nat(), weak: fc.constantFrom(0, 0, 0, 1, 2) })
  .map(({ subject, pick, weak }) => ({ subject, initial: pick % contentsOf(subject).length, weak }));

/** Plainer worlds: without late stores, and from the simplest content. */
export function plainer(configuration: Configuration): readonly Configuration[] {
  const known = entriesConfiguration(configuration);
  return [
    ...(known.weak > 0 ? [{ ...known, weak: known.weak - 1 }] : []),
    ...Array.from({ length: known.initial }, (_, initial) => ({ ...known, initial })),
  ];
}

/**
 * Reads a configuration from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function entriesConfiguration(configuration: Configuration): EntriesConfiguration {
  const { subject, initial, weak, ...others } = configuration;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new RangeError(`configuration of family entries: there is no "${unknown[0]}"`);
  const known = SUBJECTS.find((each) => each === subject);
  if (known === undefined)
    throw new RangeError(`configuration of family entries: "subject" is one of ${SUBJECTS.join(', ')}`);
  if (!isBelow(initial, contentsOf(known).length))
    throw new RangeError(`configuration of family entries: "initial" is 0 to ${contentsOf(known).length - 1}`);
  if (!isBelow(weak, WEAK_MAX + 1)) throw new RangeError(`configuration of family entries: "weak" is 0 to ${WEAK_MAX}`);
  return { subject: known, initial, weak };
}

/**
 * Reads an operation from a trace.
 *
 * @throws RangeError saying what is wrong with it.
 */
export function updateOperation(operation: Operation, subject: Subject): UpdateOperation {
  const { op, to } = operation;
  if (op !== 'update') throw new RangeError(`family entries has no operation "${op}"; it has update`);
  const most = contentsOf(subject).length - 1;
  if (!isBelow(to, most + 1)) throw new RangeError(`operation update: "to" must be an integer from 0 to ${most}`);
  return { op, to };
}

function isBelow(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < limit;
}
