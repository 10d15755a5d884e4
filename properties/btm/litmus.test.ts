import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { btm } from './index.ts';

const pairs = btm.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const));

test.each(btm.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const world = btm.world(litmus.configuration);
  const result = search(world.load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

test.each(pairs)('%s is violated under %s', (_id, hazard, litmus) => {
  const world = btm.world(litmus.configuration, hazard);
  const result = search(world.load(litmus.program), { order: 'bfs' });
  const expected = btm.hazards.find(({ id }) => id === hazard)?.expected ?? [];
  expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
});

test('every hazard has a litmus', () => {
  const shown = new Set(btm.litmus.flatMap(({ hazards }) => hazards));
  expect(btm.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});
