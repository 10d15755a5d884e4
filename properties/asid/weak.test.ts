import { expect, test } from 'vitest';
import { observe } from '../../engine/observe.ts';
import { search } from '../../engine/search/search.ts';
import { fuzz } from '../campaign.ts';
import { PLAIN, type AsidConfiguration } from './configuration.ts';
import { asid } from './index.ts';
import type { AsidOperation } from './operations.ts';
import { AsidWorld } from './world.ts';

const unmap: AsidOperation = { op: 'unmap', domain: 0, page: 0 };

function cpu0(...operations: AsidOperation[]) {
  return { agents: [{ name: 'CPU0', operations }] };
}

test.each([1, 2, 3])('every litmus test exhausts and holds when each CPU may have %d stores pending', (weak) => {
  for (const { id, configuration, program } of asid.litmus) {
    const ordered = search(asid.world(configuration).load(program), { order: 'dfs' });
    const result = search(asid.world({ ...configuration, weak }).load(program), { order: 'dfs' });
    expect({ id, failure: result.failure, verdict: result.verdict }).toEqual({
      id,
      failure: undefined,
      verdict: 'exhausted',
    });
    if (configuration['weak'] === undefined) expect(result.states).toBeGreaterThan(ordered.states);
  }
});

test('the correct implementation holds in random programs on a weakly ordered machine', async () => {
  const configurations = asid.configurations.map((configuration) => ({ ...configuration, weak: 2 }));
  const onFound = ({ failure }: { failure: { message: string } }) => expect.fail(failure.message);
  const summary = await fuzz({ ...asid, configurations }, { seed: 9, runs: 15_000, onFound });
  expect(summary.found).toBe(0);
  expect(Object.entries(summary.witnesses).filter(([, count]) => count === 0)).toEqual([]);
});

test('a pending store is shown until it reaches memory, and named when it does', () => {
  const world = asid.world({ ...PLAIN, weak: 1 });
  const system = world.load(cpu0(unmap));
  const daemon = system.agents.findIndex(({ name }) => name === 'CPU0 store buffer');
  const store = 'PTE(0x1000) := 0';
  // The claim, the upper table, the store itself; then it arrives.
  const { steps } = observe(system, [0, 0, 0, daemon], () => world.snapshot());
  expect(steps[2]?.label).toBe(store);
  expect(steps[2]?.notes).toContain(`+ CPU0 has yet to store: ${store}`);
  expect(steps[3]).toMatchObject({ agentName: 'CPU0 store buffer', label: 'reaches memory', result: store });
  expect(steps[3]?.notes).toContain(`- CPU0 has yet to store: ${store}`);
});

test.each<[string, Partial<AsidConfiguration>, AsidOperation, RegExp]>([
  ['a configuration word', {}, { op: 'detach', device: 0 }, /^STE\(dev0\)\[\d\] := 0x/],
  ['a context descriptor', { masters: 0 }, { op: 'attach', domain: 0, device: 0 }, /^CD\(dev0, 0\)\[\d\] := 0x/],
  ['an invalidation set', {}, { op: 'detach', device: 0 }, /^domain0\.invs := \{\}/],
  ['a lock', {}, { op: 'detach', device: 0 }, /^asid_lock := free/],
  ['a page of a mapping', {}, { op: 'map', domain: 0, page: 1, frame: 1 }, /^PTE\(0x2000\) := G1/],
])('%s has a name', (_what, world, operation, name) => {
  const weak = new AsidWorld({ ...PLAIN, ...world, weak: 1 } as AsidConfiguration);
  const system = weak.load(cpu0(operation));
  const seen: string[] = [];
  // Every store arrives as soon as it can.
  for (let schedule: number[] = []; ;) {
    const { steps, ended } = observe(system, schedule);
    const last = steps.at(-1);
    if (last?.agent === 1) seen.push(String(last.result));
    if (ended) break;
    const next = observe(system, [...schedule, 1]);
    schedule = next.misfit === undefined ? [...schedule, 1] : [...schedule, 0];
  }
  expect(seen.some((text) => name.test(text))).toBe(true);
});

test('devices have no store buffer, and a configuration that cannot be is refused', () => {
  const world = asid.world({ ...PLAIN, weak: 3 });
  const dma: AsidOperation = { op: 'dma', device: 0, page: 0, process: -1 };
  const agents = ['CPU0', 'CPU1', 'CPU2'].map((name) => ({ name, operations: [unmap] }));
  const system = world.load({
    agents: [...agents, { name: 'dev0', operations: [dma] }, { name: 'dev1', operations: [dma] }],
  });
  expect(system.agents.filter(({ daemon }) => daemon)).toHaveLength(9);
  expect(asid.world(PLAIN).load(cpu0(unmap)).agents).toHaveLength(1);
  expect(() => asid.world({ ...PLAIN, weak: 4 })).toThrow(/weak is 0 to 3/);
  expect(() => asid.world({ ...PLAIN, weak: 'yes' })).toThrow(/weak/);
});

test('a plainer world has smaller store buffers, or none', () => {
  const { weak: _, ...ordered } = { ...PLAIN, weak: 2 };
  expect(asid.plainer?.({ ...PLAIN, weak: 2 }).slice(0, 2)).toEqual([ordered, { ...PLAIN, weak: 1 }]);
  expect(asid.plainer?.(PLAIN)).toEqual([]);
});

test.each([
  [
    'weak-unmap-during-attach',
    'smmu-attach-invs-store-buffer',
    /"PTE\(0x1000\) := 0" of step \d+ \(CPU0\) has not reached memory yet/,
  ],
  ['weak-unmap-during-bind', 'share-asid-store-buffer', /"domain0\.invs := \{1, 3\}" of step \d+ \(CPU0\)/],
])('%s under %s: the late store is part of the explanation', (id, hazard, words) => {
  const litmus = asid.litmus.find((candidate) => candidate.id === id);
  if (litmus === undefined) expect.fail('no such litmus');
  const world = asid.world(litmus.configuration, hazard);
  const { schedule } = search(world.load(litmus.program), { order: 'bfs' });
  const observation = observe(world.load(litmus.program), schedule ?? [], () => world.snapshot());
  if (observation.failure === undefined) expect.fail('it holds');
  const why = world.explain(observation, observation.failure).map(({ head, text }) => `${head}: ${text}`);
  expect(why.join('\n')).toMatch(words);
});
