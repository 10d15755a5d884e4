import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { ArmSmmuCmdq } from '../../impl/kernel/cmdq-multi-producer.ts';
import { ArmSmmuEvtq } from '../../impl/kernel/evtq.ts';
import { testHazards, testLitmus } from '../testing/laws.ts';
import { PLAIN } from './configuration.ts';
import { cmdq } from './index.ts';
import { CMDQ_HAZARDS } from './hazards/index.ts';

testLitmus(cmdq);
testHazards(cmdq);

test.each(CMDQ_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (_id, hazard) => {
  const { cmdq: queue, evtq: events } = hazard.parts;
  expect([queue, events].filter((part) => part !== undefined)).toHaveLength(1);
  if (queue !== undefined) expect(queue.prototype).toBeInstanceOf(ArmSmmuCmdq);
  if (events !== undefined) expect(events.prototype).toBeInstanceOf(ArmSmmuEvtq);
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
