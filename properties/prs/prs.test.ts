import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { PLAIN, prsConfiguration, prsOperation } from './configuration.ts';
import { PRS_HAZARDS } from './hazards/index.ts';
import { prs } from './index.ts';

test.each(prs.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const result = search(prs.world(litmus.configuration).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

test.each(prs.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
  '%s is violated under %s',
  (_id, hazard, litmus) => {
    const result = search(prs.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = prs.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  },
);

test('every hazard has a litmus', () => {
  const shown = new Set(prs.litmus.flatMap(({ hazards }) => hazards));
  expect(prs.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});

test.each(PRS_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s says what it is', (id, hazard) => {
  expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  expect(Object.keys(hazard.parts).length).toBeGreaterThan(0);
  expect(hazard.citation.length).toBeGreaterThan(10);
  expect(hazard.story).toMatch(/\.$/);
});

test('the litmus tests reach what the family is about', () => {
  const reached = new Set<string>();
  for (const litmus of prs.litmus) {
    const world = prs.world(litmus.configuration);
    search(world.load(litmus.program), { order: 'dfs' });
    for (const [witness, count] of Object.entries(world.counters.witnesses)) if (count > 0) reached.add(witness);
  }
  expect(prs.witnesses.filter((witness) => !reached.has(witness))).toEqual([]);
});

test.each([
  [{ attached: 2 }, '"attached" is at most "devices"'],
  [{ entries: 1 }, '"entries" is 2 to 5'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => prsConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'mend' }, 'family prs has no operation "mend"'],
  [{ op: 'fault', device: 0, pasid: 3, group: 0, pages: 1 }, 'operation fault: "pasid" must be 1 to 2'],
  [{ op: 'send', device: 0, pasid: 1, group: 0, last: 1 }, 'operation send: "last" must be true or false'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => prsOperation(wrong)).toThrow(why);
});
