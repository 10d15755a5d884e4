import { describe, expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { DESIGNS } from '../../impl/kernel/vbtm/index.ts';
import { fuzz } from '../campaign.ts';
import { btm } from './index.ts';
import { PLAIN, plainer } from './configuration.ts';
import { OPTIONS, simplify } from './operations.ts';
import { BtmWorld } from './world.ts';

test('the correct implementation holds, and a run reaches every witness and uses every operation', async () => {
  const summary = await fuzz(btm, { seed: 3, runs: 25_000, onFound: ({ failure }) => expect.fail(failure.message) });
  expect(summary.found).toBe(0);
  expect(btm.witnesses.filter((witness) => (summary.witnesses[witness] ?? 0) === 0)).toEqual([]);
  const used = Object.entries(summary.operations);
  expect(used.filter(([, { run }]) => run === 0)).toEqual([]);
  expect(used.filter(([, { run, rejected }]) => rejected >= run)).toEqual([]);
});

describe('what a broadcast takes from the SMMU', () => {
  /** Runs KVM's unmap of a page of A to its end, and says what was lost. */
  function losses(design: string, device0: string) {
    const world = new BtmWorld({ ...PLAIN, design, vmids: 5, other: true, device0 });
    const operations = [
      { op: 'run', machine: 0 },
      { op: 'kvmUnmap', machine: 0 },
    ];
    const system = world.load({ agents: [{ name: 'CPU0', operations }] });
    const result = search({ ...system, memoise: false }, { order: 'dfs' });
    expect(result.verdict).toBe('exhausted');
    const { lost } = world.costs.invalidations.counts('broadcast');
    return { machine: lost.machine > 0, unrelated: lost.unrelated > 0 };
  }

  test('is what devices of the same machine need, if they share its VMID', () => {
    expect(losses('pinned', 'nested')).toEqual({ machine: true, unrelated: false });
  });

  test('is what devices of another machine need, if numbers of two allocators are the same', () => {
    expect(losses('private', 'other')).toEqual({ machine: false, unrelated: true });
  });

  test.each(['off', 'disjoint'])('is nothing in design %s', (design) => {
    for (const device of ['nested', 'guest', 'other', 'private'])
      expect(losses(design, device)).toEqual({ machine: false, unrelated: false });
  });
});

test('every design builds every world that it permits', () => {
  for (const design of DESIGNS)
    for (const device0 of ['nothing', 'nested', 'guest', 'other', 'private'])
      expect(() => btm.world({ ...PLAIN, vmids: 5, other: true, design, device0 })).not.toThrow();
});

test.each([
  [{ ...PLAIN, design: 'shared' }, /design is one of off, private, disjoint, pinned/],
  [{ ...PLAIN, vmids: 3 }, /"vmids" is at least 4/],
  [{ ...PLAIN, taken: 4 }, /"taken" is at most 3/],
  [{ ...PLAIN, device1: 'somewhere' }, /devices are at/],
  [{ ...PLAIN, device1: 'other' }, /needs its stage 2/],
  [{ ...PLAIN, stage1: false }, /no device is nested/],
  [{ ...PLAIN, more: 1 }, /no "more"/],
  [{ ...PLAIN, cpus: '1' }, /"cpus" must be a number/],
])('a configuration that cannot be is refused: %j', (configuration, message) => {
  expect(() => btm.world(configuration)).toThrow(message);
});

test.each([
  [{ op: 'teleport' }, /no operation "teleport"/],
  [{ op: 'unmap', place: 0 }, /"page"/],
  [{ op: 'run', machine: 3 }, /"machine" must be an integer from 0 to 2/],
])('an operation that cannot be is refused: %j', (operation, message) => {
  const world = btm.world(PLAIN);
  expect(() => world.load({ agents: [{ name: 'CPU0', operations: [operation] }] })).toThrow(message);
});

test('a CPU that is not there is refused, and an unknown hazard, naming those there are', () => {
  const agents = [{ name: 'CPU7', operations: [] }];
  expect(() => btm.world(PLAIN).load({ agents })).toThrow(/CPU0 to CPU1/);
  expect(() => btm.world(PLAIN, 'nope')).toThrow(/no hazard "nope"; it has pinned-vmid-alias-private/);
});

test('simpler operations are operations, and plainer configurations can be built', () => {
  for (const operation of OPTIONS) for (const simpler of simplify(operation)) expect(OPTIONS).toContainEqual(simpler);
  const strange = {
    ...PLAIN,
    design: 'private',
    cpus: 1,
    vmids: 5,
    taken: 4,
    mapped: 0,
    other: true,
    device1: 'other',
  };
  const plain = plainer(strange);
  expect(plain.length).toBeGreaterThan(3);
  for (const configuration of plain) expect(() => btm.world(configuration)).not.toThrow();
});
