import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { smmu } from './index.ts';

const pairs = smmu.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const));

test.each(smmu.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const world = smmu.world(litmus.configuration);
  for (const order of ['dfs', 'bfs'] as const) {
    const result = search(world.load(litmus.program), { order });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
    expect(result.ends).toBeGreaterThan(0);
  }
});

test.each(pairs)('%s is violated under %s', (_id, hazard, litmus) => {
  const world = smmu.world(litmus.configuration, hazard);
  const result = search(world.load(litmus.program), { order: 'bfs' });
  const expected = smmu.hazards.find(({ id }) => id === hazard)?.expected ?? [];
  expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
});

test('every hazard has a litmus', () => {
  const shown = new Set(smmu.litmus.flatMap(({ hazards }) => hazards));
  expect(smmu.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});
