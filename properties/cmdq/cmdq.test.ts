import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { ArmSmmuCmdq } from '../../impl/kernel/cmdq-multi-producer.ts';
import { ArmSmmuEvtq } from '../../impl/kernel/evtq.ts';
import { PLAIN } from './configuration.ts';
import { cmdq } from './index.ts';
import { CMDQ_HAZARDS } from './hazards/index.ts';

test.each(cmdq.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const result = search(cmdq.world(litmus.configuration).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

test.each(cmdq.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
  '%s is violated under %s',
  (_id, hazard, litmus) => {
    const result = search(cmdq.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = cmdq.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  },
);

test('every hazard has a litmus', () => {
  const shown = new Set(cmdq.litmus.flatMap(({ hazards }) => hazards));
  expect(cmdq.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});

test.each(CMDQ_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (id, hazard) => {
  expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  const { cmdq: queue, evtq: events } = hazard.parts;
  expect([queue, events].filter((part) => part !== undefined)).toHaveLength(1);
  if (queue !== undefined) expect(queue.prototype).toBeInstanceOf(ArmSmmuCmdq);
  if (events !== undefined) expect(events.prototype).toBeInstanceOf(ArmSmmuEvtq);
  expect(hazard.citation.length).toBeGreaterThan(10);
  expect(hazard.story).toMatch(/\.$/);
});

test('without the barrier a command may come before what its CPU has stored in front of it', () => {
  const world = cmdq.world({ ...PLAIN, weak: 3 }, 'smmu-cmdq-no-wmb');
  const program = { agents: [{ name: 'CPU0', operations: [{ op: 'issue', commands: 1, sync: false }] }] };
  const wanted = ({ rule }: { readonly rule: string }): boolean => rule === 'data-late';
  expect(search(world.load(program), { order: 'bfs', wanted }).failure).toMatchObject({ rule: 'data-late' });
});

/** Longer programs, of which correct software is exhausted too. */
test.each([
  ['a batch beside a list', { start: 2 }, [[{ op: 'batch', commands: 3 }], [{ op: 'issue', commands: 1, sync: true }]]],
  ['three CPUs', { start: 6 }, Array.from({ length: 3 }, () => [{ op: 'issue', commands: 1, sync: false }])],
  [
    'late stores',
    { start: 3, weak: 3 },
    [[{ op: 'issue', commands: 1, sync: true }], [{ op: 'issue', commands: 1, sync: true }]],
  ],
  [
    'eight entries',
    { log2Entries: 3, start: 7 },
    [[{ op: 'batch', commands: 3 }], [{ op: 'issue', commands: 2, sync: true }]],
  ],
] as const)('%s holds', (_name, queue, operations) => {
  const program = { agents: operations.map((list, cpu) => ({ name: `CPU${cpu}`, operations: list })) };
  const world = cmdq.world({ ...PLAIN, ...queue });
  const result = search(world.load(program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
});
