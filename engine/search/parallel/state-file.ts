import { bytesOf, wordsOf } from '../../checkpoint.ts';
import type { Counts } from './control.ts';
import type { SearchState } from './job.ts';

/** The state of a search as plain data and parts of a checkpoint: for `readState`. */
export interface StateHeader {
  readonly counts: Counts;
  readonly branches: number;
}

/** A search's state for a checkpoint: one part for the states reached, and two for each of the branches. */
export function stateParts({ counts, branches, entries }: SearchState): { header: StateHeader; parts: Uint8Array[] } {
  return {
    header: { counts, branches: branches.length },
    parts: [bytesOf(entries), ...branches.flatMap(({ path, units }) => [path, bytesOf(units)])],
  };
}

/** Takes a search's state from the front of the parts of a checkpoint. */
export function takeState({ counts, branches: count }: StateHeader, parts: Uint8Array[]): SearchState {
  const take = (): Uint8Array => parts.shift() ?? new Uint8Array(0);
  const entries = wordsOf(take());
  const branches = Array.from({ length: count }, () => ({ path: take(), units: wordsOf(take()) }));
  return { counts, branches, entries };
}
