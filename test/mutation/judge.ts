import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { fuzz } from '../../properties/campaign.ts';
import type { Family, World } from '../../properties/family.ts';

/** How much of a family a mutant is run against. */
interface Effort {
  /** Executions of random programs, from a fixed seed and with no clock: a mutant is judged the same each time. */
  readonly runs: number;
  /** Witnesses, and operations ("op NAME"), that so little does not reach. */
  readonly unreached?: readonly string[];
}

/**
 * Judges a mutant of the kernel by what a family checks: its litmus programs, exhaustively; random programs under random
 * schedules; and its hazards, each under its litmus. What sees a broken kernel should be the first two, so they come
 * first: that a hazard does not show any more is only a sign that something else has changed.
 *
 * Rules of safety are kept by a kernel that does nothing, so it counts, too, what was reached.
 */
export function judge(family: Family, { runs, unreached = [] }: Effort): void {
  test.each(family.litmus.map((litmus) => [litmus.id, litmus] as const))('%s holds', (_id, litmus) => {
    const world = family.world(litmus.configuration);
    const result = search(world.load(litmus.program), { order: 'dfs' });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
    expect(result.ends).toBeGreaterThan(0);
  });

  test(`${family.name}: random programs hold, and reach what there is`, async () => {
    const { found, witnesses, operations } = await fuzz(family, { seed: 1, runs, onFound: () => 'stop' });
    expect(found).toBe(0);
    const reached = new Set<string>();
    note({ witnesses, operations }, reached);
    for (const litmus of family.litmus) {
      const world = family.world(litmus.configuration);
      search(world.load(litmus.program), { order: 'dfs' });
      note(world.counters, reached);
    }
    const all = [...family.witnesses, ...Object.keys(operations).map((op) => `op ${op}`)];
    expect(all.filter((one) => !reached.has(one) && !unreached.includes(one))).toEqual([]);
  });

  test.each(family.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
    '%s is violated under %s',
    (_id, hazard, litmus) => {
      const { failure } = search(family.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
      const expected = family.hazards.find(({ id }) => id === hazard)?.expected ?? [];
      expect(expected).toContainEqual({ monitor: failure?.monitor, rule: failure?.rule });
    },
  );
}

function note({ witnesses, operations }: Pick<World['counters'], 'witnesses' | 'operations'>, reached: Set<string>) {
  for (const [witness, count] of Object.entries(witnesses)) if (count > 0) reached.add(witness);
  for (const [op, { run, rejected }] of Object.entries(operations)) if (run > rejected) reached.add(`op ${op}`);
}
