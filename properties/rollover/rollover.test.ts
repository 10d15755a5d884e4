import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { Arm64Context, Arm64Pgtable, Arm64Sched, Arm64Tlbflush } from '../../impl/kernel/arm64/index.ts';
import { PLAIN, rolloverConfiguration, rolloverOperation } from './configuration.ts';
import { ROLLOVER_HAZARDS } from './hazards/index.ts';
import { rollover } from './index.ts';

test.each(rollover.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const result = search(rollover.world(litmus.configuration).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

test.each(rollover.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
  '%s is violated under %s',
  (_id, hazard, litmus) => {
    const result = search(rollover.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = rollover.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  },
);

test('every hazard has a litmus', () => {
  const shown = new Set(rollover.litmus.flatMap(({ hazards }) => hazards));
  expect(rollover.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});

test.each(ROLLOVER_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (id, hazard) => {
  expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  const { context, tlbflush, pgtable, sched } = hazard.parts;
  expect([context, tlbflush, pgtable, sched].filter((part) => part !== undefined)).toHaveLength(1);
  if (context !== undefined) expect(context.prototype).toBeInstanceOf(Arm64Context);
  if (tlbflush !== undefined) expect(tlbflush.prototype).toBeInstanceOf(Arm64Tlbflush);
  if (pgtable !== undefined) expect(pgtable.prototype).toBeInstanceOf(Arm64Pgtable);
  if (sched !== undefined) expect(sched.prototype).toBeInstanceOf(Arm64Sched);
  expect(hazard.citation.length).toBeGreaterThan(10);
  expect(hazard.story).toMatch(/\.$/);
});

/** What runs keeps its ASID, and so does what devices use; a switch after a roll-over may take the fast path. */
test('the litmus tests reach what the allocator is about', () => {
  const reached = new Set<string>();
  for (const litmus of rollover.litmus) {
    const world = rollover.world(litmus.configuration);
    search(world.load(litmus.program), { order: 'dfs' });
    for (const [witness, count] of Object.entries(world.counters.witnesses)) if (count > 0) reached.add(witness);
  }
  expect(rollover.witnesses.filter((witness) => !reached.has(witness))).toEqual([]);
});

test.each([
  [{ asids: 2 }, '"asids" is more than "cpus", or a roll-over would leave none free'],
  [{ taken: 4 }, '"taken" is at most "asids"'],
  [{ weak: 3 }, '"weak" is 0 to 2'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => rolloverConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'clone', mm: 0 }, 'family rollover has no operation "clone"'],
  [{ op: 'switch', mm: 9 }, 'operation switch: "mm" must be a process'],
  [{ op: 'unmap', mm: 0, page: 2 }, 'operation unmap: "page" must be a page'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => rolloverOperation(wrong)).toThrow(why);
});
