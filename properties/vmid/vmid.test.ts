import { expect, test } from 'vitest';
import { search } from '../../engine/search/search.ts';
import { KvmHyp, KvmHypVhe, KvmMmu, KvmVcpus, KvmVcpusVhe, KvmVmid } from '../../impl/kernel/kvm/index.ts';
import { missedByLitmus, testHazards, testLitmus } from '../testing/laws.ts';
import { PLAIN, vmidConfiguration, vmidOperation } from './configuration.ts';
import { VmidDevices } from './devices.ts';
import { GenerationVmid } from './hazards/generation-scheme.ts';
import { VMID_HAZARDS } from './hazards/index.ts';
import { vmid } from './index.ts';
import { VmidWorld } from './world.ts';

testLitmus(vmid);
testHazards(vmid);

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

const PARTS: Readonly<Record<string, abstract new (...parts: never) => object>> = {
  vmid: KvmVmid,
  hyp: KvmHyp,
  mmu: KvmMmu,
  vcpus: KvmVcpus,
  vheHyp: KvmHypVhe,
  vheVcpus: KvmVcpusVhe,
  devices: VmidDevices,
};

test.each(VMID_HAZARDS.map((hazard) => [hazard.id, hazard] as const))('%s replaces one part', (_id, hazard) => {
  const { noVhe: _old, ...classes } = hazard.parts;
  const parts = Object.entries(classes);
  expect(parts).toHaveLength(1);
  for (const [name, part] of parts) expect(part.prototype).toBeInstanceOf(PARTS[name]);
});

/** What runs keeps its VMID, and so does what devices use; a roll-over meets CPUs that are idle, or on the fast path. */
test('the litmus tests reach what the allocator is about', () => {
  const others = ['vCPU moved', 'machine made again'];
  expect(missedByLitmus(vmid)).toEqual(others);
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
