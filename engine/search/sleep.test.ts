import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fingerprint } from '../failure.ts';
import type { System } from '../system.ts';
import { buildLoops, loopPrograms } from '../testing/looping.ts';
import { build, programs } from '../testing/programs.ts';
import { search, type SearchOptions, type SearchResult } from './search.ts';

/** Larger state spaces are not compared. */
const STATES_MAX = 3000;

/** A search that names the failures it sees. */
function survey(system: System, options: SearchOptions): SearchResult & { readonly seen: readonly string[] } {
  const seen = new Set<string>();
  const wanted = (failure: Parameters<typeof fingerprint>[0]): boolean => {
    seen.add(fingerprint(failure));
    return false;
  };
  return { ...search(system, { ...options, wanted }), seen: [...seen].sort() };
}

/** Both searches reach the same states and ends, and see the same failures; sleep sets make no more steps. */
function compare(make: () => System, options: { readonly countFailures?: boolean } = {}): void {
  const full = survey(make(), { order: 'dfs', reduction: 'none', statesMax: STATES_MAX, ...options });
  if (full.verdict === 'bound') return;
  const asleep = survey(make(), { order: 'dfs', reduction: 'sleep', ...options });
  const { states, ends, seen, verdict } = full;
  expect(asleep).toMatchObject({ states, ends, seen, verdict });
  expect(asleep.transitions).toBeLessThanOrEqual(full.transitions);
  const tree = options.countFailures === true ? states - 1 : 0;
  expect(asleep.transitions).toBeGreaterThanOrEqual(tree);
}

describe('sleep sets leave out steps, not states', () => {
  const failing = fc.boolean();

  test('programs of every primitive', () => {
    fc.assert(
      fc.property(programs, failing, (program, countFailures) => compare(() => build(program), { countFailures })),
      { numRuns: 300 },
    );
  });

  test('programs with loops, whose states can be reached from themselves', () => {
    fc.assert(
      fc.property(loopPrograms, failing, (program, countFailures) =>
        compare(() => buildLoops(program), { countFailures }),
      ),
      { numRuns: 300 },
    );
  });

  test('the check after a step is part of what it touches; with and without memo', () => {
    fc.assert(
      fc.property(loopPrograms, failing, fc.boolean(), (program, countFailures, memoise) =>
        compare(() => buildLoops(program, { checked: true, memoise }), { countFailures }),
      ),
      { numRuns: 300 },
    );
  });
});
