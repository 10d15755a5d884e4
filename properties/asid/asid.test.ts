import { expect, test } from 'vitest';
import { fingerprint } from '../../engine/failure.ts';
import { observe } from '../../engine/observe.ts';
import { search } from '../../engine/search/search.ts';
import { step, type Step, type Task } from '../../engine/step.ts';
import { ArmLpaeIoPgtable, ArmSmmuSva, type KernelParts, type Space } from '../../impl/kernel/index.ts';
import { fuzz, type Found } from '../campaign.ts';
import { minimise } from '../minimise/minimise.ts';
import { PLAIN } from './configuration.ts';
import { asid } from './index.ts';
import type { AsidOperation } from './operations.ts';
import { AsidWorld } from './world.ts';

test('the correct implementation holds, and a run reaches every witness and uses every operation', async () => {
  const summary = await fuzz(asid, { seed: 5, runs: 60_000, onFound: ({ failure }) => expect.fail(failure.message) });
  expect(summary.found).toBe(0);
  expect(Object.entries(summary.witnesses).filter(([, count]) => count === 0)).toEqual([]);
  expect(Object.keys(summary.witnesses)).toHaveLength(asid.witnesses.length);
  const used = Object.entries(summary.operations);
  expect(used.filter(([, { run }]) => run === 0)).toEqual([]);
  expect(used.filter(([, { run, rejected }]) => rejected >= run)).toEqual([]);
  expect(summary.distinctOutcomes).toBeGreaterThan(500);
});

test('a campaign is a function of its seed', async () => {
  const run = async (): Promise<Found[]> => {
    const found: Found[] = [];
    await fuzz(asid, {
      seed: 3,
      runs: 4_000,
      hazard: 'pgtable-free-leaf-only',
      onFound: (each) => {
        found.push(each);
        return 'continue';
      },
    });
    return found.map((each) => ({ ...each, provenance: { ...each.provenance, seconds: 0 } }));
  };
  const first = await run();
  expect(first.length).toBeGreaterThan(0);
  expect(await run()).toEqual(first);
});

test('the race on ASID reassignment is minimised to one bind, one unmap and one switch, and the proof is complete', async () => {
  let found: Found | undefined;
  await fuzz(asid, {
    seed: 3,
    runs: 400_000,
    hazard: 'share-asid-unmap-window',
    onFound: (each) => {
      found = each;
      return 'stop';
    },
  });
  if (found === undefined) expect.fail('not found');
  const small = await minimise(asid, found, { seconds: 60 });
  expect(small.configuration).toEqual({ ...PLAIN, ril: small.configuration['ril'] });
  const operations = small.program.agents.flatMap((agent) => agent.operations.map(({ op }) => op)).sort();
  expect([
    ['bind', 'unmap'],
    ['bind', 'unmapTable'],
  ]).toContainEqual(operations);
  expect(small.minimal).toMatchObject({ operations: 'proved', schedule: 'proved', switches: 1, smallerPrograms: 2 });
  expect(fingerprint(small.failure)).toBe(fingerprint(found.failure));

  const world = asid.world(small.configuration, small.hazard);
  const observation = observe(world.load(small.program), small.schedule, () => world.snapshot());
  expect(observation.failure && fingerprint(observation.failure)).toBe(fingerprint(small.failure));
  const why = world.explain(observation, small.failure).map(({ head, text }) => `${head}: ${text}`);
  expect(why.join('\n')).toMatch(
    /Then: step \d+ \(CPU\d.*\n.*However: the SMMU may.*ASID 1.*[^]*Missing: an invalidation of ASID 1/,
  );

  const correct = asid.world(small.configuration);
  expect(observe(correct.load(small.program), small.schedule).failure).toBeUndefined();
});

/** Unlinks and flushes a table, and forgets the page. */
class LeakyPgtable extends ArmLpaeIoPgtable {
  override *arm_lpae_release_table(space: Space, iova: number): Task {
    yield* this.io_pgtable_tlb_flush_walk(space, iova);
  }
}

/** Forgets to free the shared context descriptor. */
class LeakySva extends ArmSmmuSva {
  protected override freeCd(): Step<undefined> {
    return step('kfree(cd), forgotten', () => undefined);
  }
}

test.each<[string, Partial<KernelParts>, AsidOperation, Partial<typeof PLAIN>]>([
  ['page table', { pgtable: LeakyPgtable }, { op: 'unmapTable', domain: 0 }, {}],
  ['cd', { sva: LeakySva }, { op: 'unbind', process: 0, device: 0 }, { bound: true }],
])('a leak of a %s is noticed when nothing runs any more', (kind, parts, operation, world) => {
  const program = { agents: [{ name: 'CPU0', operations: [operation] }] };
  const leaky = new AsidWorld({ ...PLAIN, ...world } as typeof PLAIN, parts);
  const { failure } = search(leaky.load(program), { order: 'dfs' });
  expect(failure).toMatchObject({ monitor: 'safety', rule: 'leak', data: { kind } });
  const correct = new AsidWorld({ ...PLAIN, ...world } as typeof PLAIN);
  expect(search(correct.load(program), { order: 'dfs' }).verdict).toBe('exhausted');
});

test.each([
  [{ ...PLAIN, masters: 3 }, /masters/],
  [{ ...PLAIN, masters: '1' }, /masters.*number/],
  [{ ...PLAIN, more: 1 }, /no "more"/],
])('a configuration that cannot be is refused: %j', (configuration, message) => {
  expect(() => asid.world(configuration)).toThrow(message);
});

test.each([
  [{ op: 'teleport' }, /no operation "teleport"/],
  [{ op: 'unmap', domain: 0 }, /"page"/],
  [{ op: 'unmap', domain: 0, page: 9 }, /"page" must be an integer from 0 to 1/],
  [{ op: 'bind', process: 1, device: 0 }, /1 process/],
  [{ op: 'dmaMap', buffer: 0, frame: 0 }, /no DMA API/],
])('an operation that cannot be is refused: %j', (operation, message) => {
  const world = asid.world(PLAIN);
  expect(() => world.load({ agents: [{ name: 'CPU0', operations: [operation] }] })).toThrow(message);
});

test('an unknown hazard is refused, naming those there are', () => {
  expect(() => asid.world(PLAIN, 'nope')).toThrow(/no hazard "nope"; it has share-asid-unmap-window/);
});
