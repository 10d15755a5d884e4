import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { fuzz, type Found } from '../campaign.ts';
import type { Family } from '../family.ts';

/**
 * What must hold of every family: `testLitmus`, `testHazards`, and that the litmus tests together reach what the family is
 * about.
 */
export function testFamily(family: Family): void {
  testLitmus(family);
  testHazards(family);

  test('the litmus tests reach what the family is about', () => {
    expect(missedByLitmus(family)).toEqual([]);
  });
}

/**
 * The correct implementation exhausts each litmus test and holds, each hazard violates its own in a way that it says, and
 * none is without one.
 */
export function testLitmus(family: Family, orders: readonly ('dfs' | 'bfs')[] = ['dfs']): void {
  test.each(family.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
    const world = family.world(litmus.configuration);
    for (const order of orders) {
      const result = search(world.load(litmus.program), { order });
      expect(result.failure).toBeUndefined();
      expect(result.verdict).toBe('exhausted');
      expect(result.ends).toBeGreaterThan(0);
    }
  });

  const mistakes = family.litmus.flatMap((litmus) =>
    litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const),
  );
  test.each(mistakes)('%s is violated under %s', (_id, hazard, litmus) => {
    const result = search(family.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = family.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  });

  test('every hazard has a litmus', () => {
    const shown = new Set(family.litmus.flatMap(({ hazards }) => hazards));
    expect(family.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
  });
}

/** Each hazard has a name as all have, and says where it is known from and what goes wrong. */
export function testHazards(family: Family): void {
  test.each(family.hazards.map((hazard) => [hazard.id, hazard] as const))('%s says what it is', (id, hazard) => {
    expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
    expect(hazard.citation.length).toBeGreaterThan(10);
    expect(hazard.story).toMatch(/\.$/);
  });
}

/** Witnesses that the litmus tests of a family do not reach, all schedules of them. */
export function missedByLitmus(family: Family): readonly string[] {
  const reached = new Set<string>();
  for (const litmus of family.litmus) {
    const world = family.world(litmus.configuration);
    search(world.load(litmus.program), { order: 'dfs' });
    for (const [witness, count] of Object.entries(world.counters.witnesses)) if (count > 0) reached.add(witness);
  }
  return family.witnesses.filter((witness) => !reached.has(witness));
}

/** Random programs under random schedules, which know nothing of the hazards, find each of them in a way that it says. */
export function testUnguided(family: Family, seed: number, runs: number): void {
  test.each(family.hazards.map(({ id, expected }) => [id, expected] as const))(
    '%s is found unguided',
    async (hazard, expected) => {
      let found: Found | undefined;
      await fuzz(family, {
        seed,
        runs,
        hazard,
        onFound: (each) => {
          found = each;
          return 'stop';
        },
      });
      expect(found).toBeDefined();
      expect(expected).toContainEqual({ monitor: found?.failure.monitor, rule: found?.failure.rule });
    },
  );
}
