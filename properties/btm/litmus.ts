import type { Litmus } from '../family.ts';
import { PLAIN, type BtmConfiguration } from './configuration.ts';
import type { BtmOperation } from './operations.ts';

/** A litmus test: operations by CPU, and how the world differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly BtmOperation[])[],
  hazards: readonly string[],
  world: Partial<BtmConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...world } as BtmConfiguration, program: { agents } };
}

const [A, B] = [0, 1];
const run = (machine: number): BtmOperation => ({ op: 'run', machine });
const kvmUnmap = (machine: number): BtmOperation => ({ op: 'kvmUnmap', machine });
const destroy = (machine: number): BtmOperation => ({ op: 'vmDestroy', machine });
const unmap = (place: number): BtmOperation => ({ op: 'unmap', place, page: 0 });
const free = (place: number): BtmOperation => ({ op: 'domainFree', place });
const alloc = (place: number): BtmOperation => ({ op: 'domainAlloc', place });
const detach: BtmOperation = { op: 'detach', device: 0 };
const churn = (times: number): BtmOperation => ({ op: 'churn', times });
const guestUnmap: BtmOperation = { op: 'guestUnmap' };

/** Both machines have a stage 2 for devices. */
const BOTH = { vmids: 5, other: true } as const;

/** The smallest program for each way in which the family's software can go wrong. */
export const BTM_LITMUS: readonly Litmus[] = [
  litmus(
    'private-beside-pinned',
    'a private stage 2 comes and goes beside that of a virtual machine',
    [[{ op: 'vmidPressure' }]],
    ['pinned-vmid-alias-private'],
  ),
  litmus(
    'kvm-unmap-beside-other',
    'KVM unmaps a page of one machine while a device uses the stage 2 of another',
    [[run(A), kvmUnmap(A)]],
    ['btm-over-invalidation-s2'],
    { ...BOTH, design: 'disjoint', device0: 'other' },
  ),
  litmus(
    'kvm-unmap-beside-other-private',
    'the same with VMIDs of the driver’s that KVM uses too: entries are lost, and nothing is wrong',
    [[run(A), kvmUnmap(A)]],
    [],
    { ...BOTH, design: 'private', device0: 'other' },
  ),
  litmus(
    'last-vmid-of-kvm',
    'KVM comes to the last of its VMIDs while a private stage 2 is there',
    [[run(B)]],
    ['private-vmid-range-off-by-one'],
    { taken: 3 },
  ),
  litmus(
    'rollover-beside-device',
    'a generation ends while a device uses a machine that does not run',
    [[churn(3)]],
    ['vmid-used-unpinned', 'btm-rollover-ignores-pinned'],
    { cpus: 1, vmids: 3 },
  ),
  litmus(
    'rollover-while-running',
    'a generation ends while the machine whose VMID devices use runs',
    [[run(A)], [churn(3)]],
    [],
    { taken: 3 },
  ),
  litmus(
    'unmap-stage-2-nested',
    'iommufd unmaps a page that a nested device of the machine reaches',
    [[unmap(0)]],
    ['btm-under-invalidation-s2', 'btm-nested-clear-left-to-kvm'],
  ),
  litmus(
    'unmap-both-stage-2',
    'iommufd and KVM unmap a page of the same machine, whose VMID they share',
    [[unmap(0)], [kvmUnmap(A)]],
    ['btm-under-invalidation-s2'],
  ),
  litmus(
    'guest-unmap',
    'the guest unmaps a page that its device reaches, by TLBI',
    [[guestUnmap]],
    ['vbtm-guest-aset', 'vbtm-local-tlbi'],
  ),
  litmus(
    'guest-unmap-during-kvm-unmap',
    'the same while KVM unmaps a page of the machine',
    [[guestUnmap], [kvmUnmap(A)]],
    [],
  ),
  litmus('guest-unmap-disjoint', 'the guest unmaps a page, by command', [[guestUnmap]], ['vbtm-wrong-vmid'], {
    design: 'disjoint',
  }),
  litmus('guest-unmap-off', 'the same where the SMMU takes no part in broadcasts', [[guestUnmap]], ['vbtm-ptm'], {
    design: 'off',
  }),
  litmus(
    'free-of-machine',
    'a stage 2 of a virtual machine is left by its last device and freed',
    [[detach, free(1)]],
    ['pinned-vmid-kept-in-tlb'],
    { ...BOTH, device0: 'other' },
  ),
  litmus(
    'destroy-then-free',
    'a virtual machine is closed before the stage 2 of its devices is freed',
    [[destroy(B), free(1)]],
    ['iommufd-kvm-no-reference', 'kvm-put-before-unpin'],
    BOTH,
  ),
  litmus(
    'destroy-during-alloc',
    'a virtual machine is closed while a stage 2 is made for its devices',
    [[alloc(1)], [destroy(B)]],
    ['iommufd-kvm-unlocked'],
    { vmids: 5 },
  ),
  litmus(
    'alloc-after-rollover',
    'a stage 2 is made for a machine that has not run since the last roll-over',
    [[run(B), churn(3), alloc(1), run(B)]],
    ['vmid-read-before-pin'],
    { cpus: 1, vmids: 4, taken: 2 },
  ),
  litmus(
    'second-stage-2',
    'a second stage 2 is made for the devices of the guest',
    [[alloc(3), { op: 'attach', place: 3, device: 1 }]],
    ['pinned-vmid-two-stage2'],
  ),
  litmus(
    'kvm-unmap-no-stage-1',
    'KVM unmaps a page while a device uses a stage 2 of an SMMU without stage 1',
    [[run(A), kvmUnmap(A)]],
    ['btm-without-stage1'],
    { ...BOTH, stage1: false, device0: 'other' },
  ),
  litmus(
    'vmid-of-16-bits',
    'a device uses a machine whose VMID an SMMU with VMIDs of 8 bits does not have',
    [[alloc(1), { op: 'attach', place: 1, device: 1 }]],
    ['pinned-vmid-width'],
    { vmid16: false, vmids: 5 },
  ),
];
