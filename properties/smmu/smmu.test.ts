import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { step, type Step } from '../../engine/step.ts';
import { ArmVsmmu } from '../../impl/kernel/nested/index.ts';
import { fuzz } from '../campaign.ts';
import { PLAIN } from './configuration.ts';
import { smmu } from './index.ts';
import { SmmuWorld } from './world.ts';

test('the correct implementation holds, and a run reaches every witness and uses every operation', async () => {
  const summary = await fuzz(smmu, { seed: 5, runs: 40_000, onFound: ({ failure }) => expect.fail(failure.message) });
  expect(summary.found).toBe(0);
  expect(Object.entries(summary.witnesses).filter(([, count]) => count === 0)).toEqual([]);
  expect(Object.keys(summary.witnesses)).toHaveLength(smmu.witnesses.length);
  const used = Object.entries(summary.operations);
  expect(used.filter(([, { run }]) => run === 0)).toEqual([]);
  expect(used.filter(([, { run, rejected }]) => rejected >= run)).toEqual([]);
});

/** Forgets to free a nested domain. */
class LeakyVsmmu extends ArmVsmmu {
  override freeNested(): Step<undefined> {
    return step('kfree(nested), forgotten', () => undefined);
  }
}

test('a nested domain that is left over is noticed when nothing runs any more', () => {
  const program = { agents: [{ name: 'CPU0', operations: [{ op: 'detach', device: 0 }] }] };
  const leaky = new SmmuWorld(PLAIN, { viommu: LeakyVsmmu });
  const { failure } = search(leaky.load(program), { order: 'dfs' });
  expect(failure).toMatchObject({ monitor: 'safety', rule: 'leak', data: { kind: 'nested' } });
  expect(search(new SmmuWorld(PLAIN).load(program), { order: 'dfs' }).verdict).toBe('exhausted');
});

test.each([
  [{ ...PLAIN, masters: 3 }, /masters/],
  [{ ...PLAIN, start: 'somewhere' }, /start is one of/],
  [{ ...PLAIN, ats: 1 }, /ats.*boolean/],
  [{ ...PLAIN, more: 1 }, /no "more"/],
])('a configuration that cannot be is refused: %j', (configuration, message) => {
  expect(() => smmu.world(configuration)).toThrow(message);
});

test.each([
  [{ op: 'teleport' }, /no operation "teleport"/],
  [{ op: 'unmap', place: 0 }, /"page"/],
  [{ op: 'guestMap', space: 0, page: 9, ipa: 0 }, /"page" must be an integer from 0 to 1/],
])('an operation that cannot be is refused: %j', (operation, message) => {
  const world = smmu.world(PLAIN);
  expect(() => world.load({ agents: [{ name: 'CPU0', operations: [operation] }] })).toThrow(message);
});

test('an unknown hazard is refused, naming those there are', () => {
  expect(() => smmu.world(PLAIN, 'nope')).toThrow(/no hazard "nope"; it has smmu-atc-before-tlb-sync/);
});
