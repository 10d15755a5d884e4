import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { FREE_DESIGNS } from '../../impl/kernel/ioasid/index.ts';
import type { Operation } from '../family.ts';
import { applies, ioasidConfiguration, ioasidOperation, PLAIN, type IoasidConfiguration } from './configuration.ts';
import { testFamily } from '../testing/laws.ts';
import { ioasid } from './index.ts';

/** Litmus tests that another design has no machine for. */
const UNDER_EACH = ioasid.litmus.flatMap((litmus) =>
  FREE_DESIGNS.filter((design) => design !== 'deferred' && litmus.configuration['chains'] === false)
    .map((design) => [litmus.id, design, litmus, { ...litmus.configuration, design }] as const)
    .filter(([, , { program }, machine]) =>
      program.agents.every(({ operations }) =>
        operations.every((operation) => applies(ioasidOperation(operation), ioasidConfiguration(machine))),
      ),
    ),
);

test.each(UNDER_EACH)('%s exhausts and holds with design %s', (_id, _design, litmus, machine) => {
  const result = search(ioasid.world(machine).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

testFamily(ioasid);

const VM0 = { owner: 0 } as const;
test.each<[string, number, Partial<IoasidConfiguration>, readonly Operation[], Operation]>([
  ['a set', 1, {}, [{ op: 'close', ...VM0 }], { op: 'open', ...VM0 }],
  ['the data of a number', 1, {}, [], { op: 'alloc', ...VM0 }],
  ['a place in the set', 2, {}, [], { op: 'alloc', ...VM0 }],
  ['a bond', 1, {}, [{ op: 'alloc', ...VM0 }], { op: 'bind', ...VM0, device: 0 }],
  ['a listener', 1, { chains: true }, [{ op: 'unregister', ...VM0 }], { op: 'register', ...VM0 }],
  ['an allocator', 1, { custom: true }, [], { op: 'registerAllocator', iommu: 1 }],
  ['a number of the hypervisor', 1, { custom: true }, [], { op: 'alloc', ...VM0 }],
  ['the data of a number that was given', 2, { custom: true }, [], { op: 'alloc', ...VM0 }],
  ['a place for a number that was given', 3, { custom: true }, [], { op: 'alloc', ...VM0 }],
])('there is no memory for %s', (_what, nth, machine, before, operation) => {
  const world = ioasid.world({ ...PLAIN, owners: 1, faults: true, ...machine });
  const operations = [...before, { op: 'failNth', nth }, operation];
  const result = search(world.load({ agents: [{ name: 'CPU0', operations }] }), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(world.counters.witnesses['allocation failed']).toBeGreaterThan(0);
  expect(world.counters.operations[operation.op]?.rejected).toBeGreaterThan(0);
});

test('a number that goes round is not used again before as many allocations as there are numbers', () => {
  const alloc = { op: 'alloc', owner: 0 } as const;
  const free = { op: 'free', owner: 0 } as const;
  const operations = [alloc, { op: 'bind', owner: 0, device: 0 }, free, alloc, free];
  const configuration = { ...PLAIN, pasids: 3 };
  const run = (more: readonly { readonly op: string; readonly owner: number }[]) =>
    search(
      ioasid
        .world(configuration, 'ioasid-cyclic-wraps')
        .load({ agents: [{ name: 'CPU0', operations: [...operations, ...more] }] }),
      {
        order: 'dfs',
      },
    ).failure?.rule;
  expect(run([alloc])).toBeUndefined();
  expect(run([alloc, free, alloc])).toBe('reused-while-live');
});

test.each([
  [{ design: 'none' }, '"design" is one of deferred, mutex, owner'],
  [{ quota: 3 }, '"quota" is at most "pasids"'],
  [{ policy: 'highest' }, '"policy" is lowest or cyclic'],
  [{ chains: true, design: 'mutex' }, '"chains" are of design deferred'],
  [{ custom: true, bound: true, pasids: 1 }, 'the hypervisor uses one of the "pasids" itself'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => ioasidConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'fork', owner: 0 }, 'family ioasid has no operation "fork"'],
  [{ op: 'alloc', owner: 2 }, 'operation alloc: "owner" must be 0 or 1'],
  [{ op: 'adjust', owner: 0, quota: 5 }, 'operation adjust: "quota" must be 0 to 4'],
  [{ op: 'bind', owner: 0, device: 2 }, 'operation bind: "device" must be 0 or 1'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => ioasidOperation(wrong)).toThrow(why);
});
