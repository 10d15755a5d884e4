import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { configurations, PLAIN, plainer, simplify, vmidOperation } from './configuration.ts';
import { VMID_HAZARDS } from './hazards/index.ts';
import { VMID_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { VmidWorld, WITNESSES } from './world.ts';

/** Room for as many CPUs as programs are exhausted on, and for one pinned VMID. */
const SMALL = { ...PLAIN, cpus: 3, vmids: 5 };

/** The VMID allocator of KVM over the TLBs of the CPUs. */
export const vmid: Family = {
  name: 'vmid',
  summary:
    'the VMID allocator of KVM: roll-overs, pinned VMIDs, vCPUs that move, and stage 2, over the TLBs of the CPUs',
  hazards: VMID_HAZARDS,
  litmus: VMID_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) =>
    new VmidWorld(configuration, hazard === undefined ? {} : hazardNamed('vmid', VMID_HAZARDS, hazard).parts),
  small: {
    worlds: [
      { name: 'plain', configuration: SMALL },
      { name: 'used-up', configuration: { ...SMALL, taken: 5 } },
      { name: 'one-left', configuration: { ...SMALL, taken: 4 } },
      { name: 'cnp', configuration: { ...SMALL, cnp: true, taken: 5 } },
      { name: 'two-vcpus', configuration: { ...SMALL, vcpus: 2, taken: 5 } },
      { name: 'vhe', configuration: { ...SMALL, vcpus: 2, vhe: true, taken: 5 } },
      { name: 'speculative-at', configuration: { ...SMALL, speculativeAt: true, taken: 5 } },
      { name: 'weak', configuration: { ...SMALL, weak: 1, taken: 5 } },
    ],
    alphabet,
    alike: (_configuration, operation) => {
      const known = vmidOperation(operation);
      return 'vm' in known ? { kind: 'machine', index: known.vm } : undefined;
    },
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
