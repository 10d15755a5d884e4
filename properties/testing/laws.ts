import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import type { Family } from '../family.ts';

/**
 * What must hold of every family: the correct implementation exhausts each litmus test and holds, each hazard violates its
 * own in a way that it says, none is without one, and together they reach what the family is about.
 */
export function testFamily(family: Family): void {
  test.each(family.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
    const result = search(family.world(litmus.configuration).load(litmus.program), { order: 'dfs' });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
    expect(result.ends).toBeGreaterThan(0);
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

  test.each(family.hazards.map((hazard) => [hazard.id, hazard] as const))('%s says what it is', (id, hazard) => {
    expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
    expect(hazard.citation.length).toBeGreaterThan(10);
    expect(hazard.story).toMatch(/\.$/);
  });

  test('the litmus tests reach what the family is about', () => {
    const reached = new Set<string>();
    for (const litmus of family.litmus) {
      const world = family.world(litmus.configuration);
      search(world.load(litmus.program), { order: 'dfs' });
      for (const [witness, count] of Object.entries(world.counters.witnesses)) if (count > 0) reached.add(witness);
    }
    expect(family.witnesses.filter((witness) => !reached.has(witness))).toEqual([]);
  });
}
