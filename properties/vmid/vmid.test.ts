import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { KvmHyp, KvmHypVhe, KvmMmu, KvmVcpus, KvmVcpusVhe, KvmVmid } from '../../impl/kernel/kvm/index.ts';
import { PLAIN, vmidConfiguration, vmidOperation } from './configuration.ts';
import { VmidDevices } from './devices.ts';
import { GenerationVmid } from './hazards/generation-scheme.ts';
import { VMID_HAZARDS } from './hazards/index.ts';
import { vmid } from './index.ts';
import { VmidWorld } from './world.ts';

test.each(vmid.litmus.map((litmus) => [litmus.id, litmus] as const))('%s exhausts and holds', (_id, litmus) => {
  const result = search(vmid.world(litmus.configuration).load(litmus.program), { order: 'dfs' });
  expect(result.failure).toBeUndefined();
  expect(result.verdict).toBe('exhausted');
  expect(result.ends).toBeGreaterThan(0);
});

test.each(vmid.litmus.flatMap((litmus) => litmus.hazards.map((hazard) => [litmus.id, hazard, litmus] as const)))(
  '%s is violated under %s',
  (_id, hazard, litmus) => {
    const result = search(vmid.world(litmus.configuration, hazard).load(litmus.program), { order: 'bfs' });
    const expected = vmid.hazards.find(({ id }) => id === hazard)?.expected ?? [];
    expect(expected).toContainEqual({ monitor: result.failure?.monitor, rule: result.failure?.rule });
  },
);

/** The scheme before Linux 5.16 is sound: what its hazards show is theirs. (It has no pins.) */
test.each(vmid.litmus.map((litmus) => [litmus.id, litmus] as const))(
  '%s holds with the scheme before',
  (_id, litmus) => {
    const world = new VmidWorld(litmus.configuration, { vmid: GenerationVmid, noVhe: true });
    const result = search(world.load(litmus.program), { order: 'dfs' });
    expect(result.failure).toBeUndefined();
    expect(result.verdict).toBe('exhausted');
  },
);

test('every hazard has a litmus', () => {
  const shown = new Set(vmid.litmus.flatMap(({ hazards }) => hazards));
  expect(vmid.hazards.map(({ id }) => id).filter((id) => !shown.has(id))).toEqual([]);
});

const PARTS: Readonly<Record<string, abstract new (...parts: never) => object>> = {
  vmid: KvmVmid,
  hyp: KvmHyp,
  mmu: KvmMmu,
  vcpus: KvmVcpus,
  vheHyp: KvmHypVhe,
  vheVcpus: KvmVcpusVhe,
  devices: VmidDevices,
};

test.each(VMID_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (id, hazard) => {
  expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  const { noVhe: _old, ...classes } = hazard.parts;
  const parts = Object.entries(classes);
  expect(parts).toHaveLength(1);
  for (const [name, part] of parts) expect(part.prototype).toBeInstanceOf(PARTS[name]);
  expect(hazard.citation.length).toBeGreaterThan(10);
  expect(hazard.story).toMatch(/\.$/);
});

/** What runs keeps its VMID, and so does what devices use; a roll-over meets CPUs that are idle, or on the fast path. */
test('the litmus tests reach what the allocator is about', () => {
  const reached = new Set<string>();
  for (const litmus of vmid.litmus) {
    const world = vmid.world(litmus.configuration);
    search(world.load(litmus.program), { order: 'dfs' });
    for (const [witness, count] of Object.entries(world.counters.witnesses)) if (count > 0) reached.add(witness);
  }
  const others = ['vCPU moved', 'machine made again'];
  expect(vmid.witnesses.filter((witness) => !reached.has(witness))).toEqual(others);
});

test.each([
  [{ vmids: 2 }, '"vmids" is more than "cpus", or a roll-over would leave none free'],
  [{ taken: 4 }, '"taken" is at most "vmids"'],
  [{ weak: 3 }, '"weak" is 0 to 2'],
])('a machine with %j is refused', (wrong, why) => {
  expect(() => vmidConfiguration({ ...PLAIN, ...wrong })).toThrow(why);
});

test.each([
  [{ op: 'fork', vm: 0 }, 'family vmid has no operation "fork"'],
  [{ op: 'run', vm: 9, vcpu: 0 }, 'operation run: "vm" must be a virtual machine'],
  [{ op: 'run', vm: 0, vcpu: 2 }, 'operation run: "vcpu" must be a virtual CPU'],
  [{ op: 'unmap', vm: 0, page: 2 }, 'operation unmap: "page" must be a page'],
])('the operation %j is refused', (wrong, why) => {
  expect(() => vmidOperation(wrong)).toThrow(why);
});
