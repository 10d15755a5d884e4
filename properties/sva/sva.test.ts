import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { Arm64Context, Arm64Tlbflush } from '../../impl/kernel/arm64/index.ts';
import { CORRECT_BTM_PARTS } from '../../impl/kernel/btm/index.ts';
import { testFamily } from '../testing/laws.ts';
import { configurations, kernelConfig, PLAIN, plainer, svaConfiguration } from './configuration.ts';
import { SVA_HAZARDS } from './hazards/index.ts';
import { sva } from './index.ts';
import { simplify, svaOperation } from './operations.ts';
import { alphabet } from './programs.ts';
import { SvaWorld } from './world.ts';

testFamily(sva);

test.each(SVA_HAZARDS.map((hazard) => [hazard.id, hazard] as const))(
  '%s replaces parts of the kernel',
  (_id, hazard) => {
    const parts = Object.entries(hazard.parts);
    expect(parts.length).toBeGreaterThan(0);
    for (const [name, part] of parts) {
      const correct = CORRECT_BTM_PARTS[name as keyof typeof CORRECT_BTM_PARTS];
      expect(part.prototype).toBeInstanceOf(correct);
    }
  },
);

describe('the SMMU', () => {
  test.each([
    ['on', 'required', true],
    ['ignored', 'permitted', false],
    ['absent', 'none', false],
  ] as const)('with broadcasts "%s"', (broadcast, maintenance, left) => {
    const world = new SvaWorld({ ...PLAIN, bound: true, broadcast });
    expect(world.architecture.broadcast).toBe(maintenance);
    expect(world.kernel.driver.features.btm).toBe(left);
    const system = world.load({ agents: [{ name: 'CPU0', operations: [{ op: 'munmap', process: 0, page: 0 }] }] });
    expect(search(system, { order: 'dfs' }).failure).toBeUndefined();
    expect(world.judge.invalidations.leftOut > 0).toBe(left);
  });

  test('is not shared where its ASIDs are smaller', () => {
    const world = new SvaWorld({ ...PLAIN, narrow: true });
    expect(world.kernel.driver.features.sva).toBe(false);
  });
});

test('hazards that break the set-up already are left for programs to find', () => {
  const bound = { ...PLAIN, bound: true };
  const agents = [{ name: 'CPU0', operations: [{ op: 'bind', process: 0, device: 0 }] }];
  const result = search(sva.world(bound, 'share-asid-trusts-aset').load({ agents }), { order: 'bfs' });
  expect(result.failure?.rule).toBe('tag-not-unique');
});

test('parts of arm64 are those of the family of roll-overs', () => {
  expect(CORRECT_BTM_PARTS.asidAllocator).toBe(Arm64Context);
  expect(CORRECT_BTM_PARTS.tlbflush).toBe(Arm64Tlbflush);
});

test('random machines can be built, and have room for a pinned ASID', () => {
  for (const configuration of fc.sample(configurations, { seed: 1, numRuns: 40 })) {
    const { cpus, cpuAsids } = kernelConfig(svaConfiguration(configuration));
    expect(cpuAsids).toBeGreaterThan(cpus + 1);
    for (const simpler of plainer(configuration)) expect(() => svaConfiguration(simpler)).not.toThrow();
  }
});

test('operations can be made simpler, down to the first of everything', () => {
  for (const operation of alphabet(PLAIN))
    for (const simpler of simplify(operation)) expect(JSON.stringify(simpler) < JSON.stringify(operation)).toBe(true);
});

test.each([
  [{ asids: 3 }, '"asids" is at least two more than "cpus"'],
  [{ taken: 6 }, '"taken" is at most "asids"'],
  [{ broadcast: 'maybe' }, '"broadcast" is one of on, ignored, absent'],
  [{ bound: true, domain: false }, '"bound" needs "domain"'],
  [{ weak: 3 }, '"weak" is 0 to 2'],
  [{ speed: 1 }, 'there is no "speed"'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => svaConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'reboot' }, 'family sva has no operation "reboot"'],
  [{ op: 'switch', process: 9 }, 'operation switch: "process" must be an integer from 0 to 4'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => svaOperation(wrong)).toThrow(why);
});

test('a program must fit its machine', () => {
  const world = new SvaWorld(PLAIN);
  const load = (name: string, process: number) => () =>
    world.load({ agents: [{ name, operations: [{ op: 'switch', process }] }] });
  expect(load('CPU0', 3)).toThrow('there is no process mm3');
  expect(load('CPU5', 0)).toThrow('CPU0 to CPU1');
});
