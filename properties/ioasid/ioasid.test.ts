import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { FREE_DESIGNS } from '../../impl/kernel/ioasid/index.ts';
import { applies, ioasidConfiguration, ioasidOperation, PLAIN } from './configuration.ts';
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
])('a machine with %j is refused', (wrong, why) => {
  expect(() => ioasidConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'fork', owner: 0 }, 'family ioasid has no operation "fork"'],
  [{ op: 'alloc', owner: 2 }, 'operation alloc: "owner" must be 0 or 1'],
  [{ op: 'bind', owner: 0, device: 2 }, 'operation bind: "device" must be 0 or 1'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => ioasidOperation(wrong)).toThrow(why);
});
