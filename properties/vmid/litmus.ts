import type { Litmus } from '../family.ts';
import { PLAIN, type VmidConfiguration, type VmidOperation } from './configuration.ts';

/** A litmus test: operations by CPU, and how the machine differs from the plain one. */
function litmus(
  id: string,
  title: string,
  cpus: readonly (readonly VmidOperation[])[],
  hazards: readonly string[],
  machine: Partial<VmidConfiguration> = {},
): Litmus {
  const agents = cpus.map((operations, cpu) => ({ name: `CPU${cpu}`, operations }));
  return { id, title, hazards, configuration: { ...PLAIN, ...machine } as VmidConfiguration, program: { agents } };
}

const [A, B, C, D, E] = [0, 1, 2, 3, 4];
/** First virtual CPUs of machines, one after the other. */
const run = (...vms: readonly number[]): VmidOperation[] => vms.map((vm) => ({ op: 'run', vm, vcpu: 0 }));
const second = (vm: number): VmidOperation => ({ op: 'run', vm, vcpu: 1 });
const unmap = (vm: number): VmidOperation => ({ op: 'unmap', vm, page: 0 });
const pin = (vm: number): VmidOperation => ({ op: 'pin', vm });
const unpin = (vm: number): VmidOperation => ({ op: 'unpin', vm });
const destroy = (vm: number): VmidOperation => ({ op: 'destroy', vm });
const put: VmidOperation = { op: 'put' };

/** The smallest program for each way in which VMIDs can go wrong. */
export const VMID_LITMUS: readonly Litmus[] = [
  litmus(
    'vmid-rollover-once',
    'a CPU runs a machine while another one begins a generation',
    [run(A), run(B, C, D)],
    ['vmid-reserved-not-taken', 'vmid-active-after-unlock', 'vmid-rollover-no-flush', 'vmid-rollover-no-sync'],
    { taken: 1 },
  ),
  litmus(
    'vmid-rollover-twice',
    'a CPU stays in its guest while another one begins two generations',
    [run(A), run(B, C, D, B)],
    ['vmid-reserved-once'],
    { taken: 2 },
  ),
  litmus(
    'vmid-two-copies',
    'two CPUs run vCPUs of a machine; one of them leaves it for the host and comes back after a generation begins',
    [run(A, A), [second(A)], run(B)],
    ['vmid-reserved-first-copy', 'vmid-reserved-not-renewed', 'vmid-fastpath-active-zero'],
    { cpus: 3, vmids: 4, vcpus: 2, taken: 3 },
  ),
  litmus(
    'vmid-same-machine',
    'two vCPUs run of one machine, whose VMID is out of date',
    [run(A), [second(A), ...run(B)]],
    ['vmid-checked-before-lock'],
    { taken: 3, vcpus: 2 },
  ),
  litmus(
    'vmid-fast-path',
    'a CPU takes the fast path while another one begins a generation',
    [run(A, B, A), run(C, D)],
    [
      'vmid-fastpath-plain-store',
      'vmid-fastpath-ignores-zero',
      'cnp-needs-broadcast-rollover',
      'vmid-flush-before-reserve',
    ],
  ),
  litmus(
    'vmid-fast-path-late-stores',
    'the same while stores reach memory late',
    [run(B, A, B), run(C, D)],
    ['vmid-clear-active-late'],
    { taken: 1, weak: 1 },
  ),
  litmus(
    'vmid-put',
    'a CPU puts its vCPU, and two generations begin',
    [[...run(A), put], run(B, C, D, B)],
    ['vmid-put-clears-to-zero', 'vmid-put-keeps-active'],
    { taken: 2 },
  ),
  litmus(
    'vmid-destroyed',
    'a machine is destroyed, and another one comes to run',
    [[...run(A), put, destroy(A), ...run(B)]],
    ['vmid-freed-with-machine'],
    { cpus: 1 },
  ),
  litmus(
    'vmid-preempted',
    'one machine comes to run on each CPU, of which one has to begin a generation',
    [run(A), run(B)],
    ['vmid-update-preemptible'],
    { taken: 2 },
  ),
  litmus(
    'vmid-two-vcpus',
    'two vCPUs of a new machine come to run',
    [run(A), [second(A)]],
    ['vmid-generation-read-unlocked'],
    { vcpus: 2 },
  ),
  litmus(
    'vmid-two-vcpus-rollover',
    'two vCPUs of a machine come to run while a generation begins',
    [run(A, A), [...run(B), second(A)]],
    ['vmid-generation-published-early', 'vmid-generation-not-checked-again'],
    { taken: 2, vcpus: 2 },
  ),
  litmus(
    'vmid-host-after-exit',
    'a guest is left, and its VMID is another machine’s after a roll-over',
    [[...run(A), put], run(B, C, D)],
    ['vmid-speculative-refill'],
    { taken: 2, cnp: true },
  ),
  litmus(
    'vmid-host-after-unmap',
    'a page is taken from a machine that runs nowhere, and its VMID is another machine’s after a roll-over',
    [[...run(A), put, unmap(A)], run(B, C, D)],
    ['vmid-flush-keeps-vttbr'],
    { pages: 2, taken: 2, cnp: true },
  ),
  litmus(
    'vmid-host-walks',
    'a page is taken from a machine that goes on then',
    [[...run(A), unmap(A), ...run(A)]],
    ['vmid-flush-walker-not-synced', 'vmid-run-walker-not-synced'],
    { cpus: 1, pages: 2 },
  ),
  litmus(
    'vmid-unmap-speculation',
    'a page is taken from a machine that runs nowhere, on a CPU that begins walks at EL2, while a generation begins',
    [[...run(A), put, unmap(A)], run(B, C, D)],
    ['vmid-speculative-at'],
    { pages: 2, taken: 2, cnp: true, speculativeAt: true },
  ),
  litmus(
    'vmid-vhe-two-vcpus',
    'two vCPUs of a machine come to run, where VTTBR_EL2 is written when they are loaded',
    [run(A), [second(A)]],
    ['vhe-vmid-after-vttbr', 'vhe-vmid-not-reloaded'],
    { vcpus: 2, vhe: true },
  ),
  litmus(
    'vmid-vhe-unmap',
    'a page is taken from another machine than the one that the CPU goes on with',
    [[...run(A), unmap(B), ...run(A)]],
    ['vhe-flush-keeps-vttbr'],
    { cpus: 1, vhe: true },
  ),
  litmus(
    'vmid-vhe-rollover',
    'a vCPU stays loaded during two roll-overs, where VTTBR_EL2 stays too',
    [run(A, A), run(B, C, D, B)],
    [],
    { taken: 2, vhe: true },
  ),
  litmus(
    'vmid-unmap',
    'a page is taken back that a guest on another CPU uses',
    [run(A), [unmap(A)]],
    [
      'vmid-unmap-stage-two-only',
      'vmid-unmap-no-dsb-between',
      'vmid-unmap-stage-one-first',
      'vmid-unmap-local-only',
      'vmid-unmap-no-sync',
      'vmid-unmap-host-vmid',
      'vmid-unmap-flush-first',
      'vmid-unmap-free-first',
      'tlbi-vmid-before-clear',
    ],
  ),
  litmus(
    'vmid-unmap-late-stores',
    'the same while stores reach memory late',
    [run(A), [unmap(A)]],
    ['vmid-entered-before-published', 'tlbi-vs-vmid-rollover', 'tlbi-vmid-before-barrier'],
    { weak: 2 },
  ),
  litmus(
    'vmid-unmap-rollover',
    'a page is taken back while its machine gets another VMID',
    [run(A, B, A), [unmap(A)]],
    ['tlbi-vs-vmid-rollover', 'tlbi-vmid-before-barrier', 'tlbi-vmid-before-clear'],
    { taken: 2, weak: 1 },
  ),
  litmus(
    'vmid-pinned',
    'a generation ends while a device uses a machine that does not run',
    [[pin(A), ...run(B, C, D)]],
    ['vmid-rollover-ignores-pinned'],
    { cpus: 1, taken: 2 },
  ),
  litmus(
    'vmid-pinned-runs',
    'the machine that a device uses runs again after a roll-over',
    [[pin(A), ...run(B, C, A)]],
    ['vmid-pinned-not-kept', 'vmid-pinned-id-not-stored'],
    { cpus: 1, taken: 2 },
  ),
  litmus(
    'vmid-pinned-and-reserved',
    'the machine that a device uses runs on a CPU that does not update',
    [[...run(B), pin(A), ...run(C), second(A), unpin(A), ...run(D, E), second(A)], run(A)],
    ['vmid-pinned-before-reserved'],
    { vmids: 4, vms: 5, vcpus: 2, taken: 2 },
  ),
  litmus(
    'vmid-pinned-late',
    'a device comes to use a machine whose VMID is another machine’s since a roll-over',
    [[...run(A, B, C, D), pin(A), ...run(D)]],
    ['vmid-pinned-out-of-date'],
    { cpus: 1 },
  ),
  litmus(
    'vmid-pinned-most',
    'more machines are to be pinned than there is room for',
    [[pin(A), pin(B), pin(C), ...run(D)]],
    ['vmid-pinned-exhaustion'],
    { cpus: 1 },
  ),
  litmus(
    'vmid-pinned-twice',
    'of two devices that use a machine one goes',
    [[pin(A), pin(A), unpin(A), ...run(B, C, D)]],
    ['vmid-pin-not-counted'],
    { cpus: 1, taken: 2 },
  ),
  litmus(
    'vmid-unpinned',
    'the only device that uses a machine goes, and then the machine',
    [[pin(A), unpin(A), destroy(A)]],
    ['vmid-unpin-keeps-bit', 'vmid-destroy-keeps-pages'],
    { cpus: 1 },
  ),
  litmus(
    'vmid-unpinned-runs',
    'the device goes while the machine runs',
    [
      [pin(A), ...run(A)],
      [unpin(A), ...run(B)],
    ],
    ['vmid-unpin-frees'],
    { vmids: 4 },
  ),
  litmus(
    'vmid-unpinned-rollover',
    'the device goes while a generation begins',
    [[pin(A), unpin(A)], run(B, C, D, E)],
    ['vmid-unpin-early'],
    { vmids: 4, vms: 5 },
  ),
];
