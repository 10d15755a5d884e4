import { search } from '../../engine/search/search.ts';
import type { System } from '../../engine/system.ts';

/** What a state of an allocator is to another implementation of it: words that both use. */
export interface Described {
  readonly system: System;
  /** Who has which tag, in any state. */
  readonly assignment: () => string;
  /** All that the allocator remembers, in a state in which nobody is in the middle of anything. */
  readonly end: () => string;
}

/** What the interleavings of a program come by. */
export interface Reached {
  readonly assignments: ReadonlySet<string>;
  readonly ends: ReadonlySet<string>;
  readonly states: number;
  /** Rules that were broken. */
  readonly rules: ReadonlySet<string>;
}

/** Explores every interleaving, also beyond failures, and collects what is reached. */
export function reach({ system, assignment, end }: Described): Reached {
  const assignments = new Set<string>([assignment()]);
  const ends = new Set<string>();
  const rules = new Set<string>();
  const collecting: System = {
    ...system,
    memoise: false,
    check: () => {
      system.check?.();
      assignments.add(assignment());
      const { failure } = system.machine;
      if (failure !== undefined) rules.add(failure.rule);
    },
    quiescent: () => void ends.add(end()),
  };
  const { verdict, states } = search(collecting, { order: 'dfs', reduction: 'none', countFailures: true });
  if (verdict === 'bound') throw new RangeError('the program is too large to be exhausted');
  return { assignments, ends, states, rules };
}

/** Every list of `length` names of things, up to renaming: a new one is the next that has not been named. */
export function* upToRenaming(length: number, most: number, before: readonly number[] = []): Generator<number[]> {
  if (before.length === length) {
    yield [...before];
    return;
  }
  const next = Math.max(-1, ...before) + 1;
  for (let name = 0; name <= Math.min(next, most - 1); name++) yield* upToRenaming(length, most, [...before, name]);
}

/** Every way to cut a list into as many pieces as there are agents, in order. */
export function* splits<T>(list: readonly T[], agents: number): Generator<T[][]> {
  if (agents === 1) {
    yield [[...list]];
    return;
  }
  for (let at = 0; at <= list.length; at++)
    for (const rest of splits(list.slice(at), agents - 1)) yield [list.slice(0, at), ...rest];
}

/** Whether two sets have the same members. */
export function isSame(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every((one) => right.has(one));
}
