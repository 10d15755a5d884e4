import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'stale-translation':
    'a page goes back to the host after the flush, and then no guest can reach it (comment in kvm_tlb_flush_vmid_ipa(), hyp/nvhe/tlb.c).',
  'foreign-translation': 'a guest finds nothing under its VMID but what its own machine put there.',
  'vttbr-mismatch':
    'a guest is entered under the VMID of its machine (comment above kvm_arm_vmid_update() in arm.c: preemption is off from there to the entry).',
  'vmid-zero-entered': 'VMID 0 is always reserved (comment above VMID_ACTIVE_INVALID, vmid.c).',
  'tag-split': 'all CPUs that run a machine do so under one VMID.',
  'tag-shared': 'CPUs that run two machines do so under two VMIDs.',
  'running-not-reserved':
    'all copies of a VMID among the reserved ones follow the id of the machine (check_update_reserved_vmid()).',
  'idle-reserved':
    'a CPU without a vCPU has VMID_ACTIVE_INVALID active, "to avoid reserving the VMID space needlessly on rollover" (kvm_arm_vmid_update()).',
  'pinned-changed': 'a VMID that devices use stays that of its machine until it is put (kvm_arm_pinned_vmid_get()).',
  'pinned-shared': 'a VMID that devices use goes to no other machine until it is put (kvm_arm_pinned_vmid_get()).',
  leak: 'what nobody uses any more goes back: pins with the last device, pages with the machine.',
  'no-free-vmid': 'there must always be a VMID available after a roll-over (max_pinned_vmids).',
};

/** Steps that tell how a VMID came where it is. */
const DECISIVE = [
  { starts: 'vmid_generation++', own: false },
  { starts: 'find_next_zero_bit', own: false },
  { starts: 'TLBI', own: false },
  // What counts is what the CPU has that goes wrong.
  { starts: 'VTTBR', own: true },
] as const;

/** The *why* of a report: the promise, what broke it, and the last steps that decided it. */
export function explain({ steps }: Observation, failure: Failure): readonly WhyLine[] {
  const promise = PROMISES[failure.rule];
  const because = DECISIVE.flatMap(({ starts, own }): { at: number; line: WhyLine }[] => {
    const at = steps.findLastIndex(
      ({ label, agentName }) => label.startsWith(starts) && (!own || agentName === steps.at(-1)?.agentName),
    );
    const found = steps[at];
    if (found === undefined) return [];
    return [{ at, line: { head: 'Because', text: `step ${at + 1}: ${found.agentName}, ${found.label}.` } }];
  });
  return [
    ...(promise === undefined ? [] : [{ head: 'Then', text: promise }]),
    { head: 'However', text: failure.message },
    ...because.toSorted((a, b) => a.at - b.at).map(({ line }) => line),
  ];
}
