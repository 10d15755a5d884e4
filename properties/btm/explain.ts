import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { explain as explainTranslation, type FailureSources } from '../asid/explain.ts';
import { explainBySteps } from '../decisive-steps.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'over-invalidation':
    'TLB maintenance for one virtual machine costs others nothing: VMIDs of the SMMU are not those that KVM uses for another one.',
  'tag-not-disjoint': 'VMIDs that KVM gives out are not those that the SMMU’s driver gives out.',
  'pinned-changed':
    'a VMID that devices use stays that of its virtual machine until it is put (kvm_arm_pinned_vmid_get()).',
  'pinned-shared':
    'a VMID that devices use goes to no other virtual machine until it is put (kvm_arm_pinned_vmid_get()).',
  'tag-split': 'all CPUs that run a virtual machine do so under one VMID.',
  'tag-shared': 'CPUs that run two virtual machines do so under two VMIDs.',
  'stale-translation': 'a page is freed after the flush, and then no CPU that runs the machine can reach it.',
  'foreign-translation': 'a CPU finds nothing in its TLB under a VMID but what the machine that has it put there.',
};

/** Steps that tell how a VMID came where it is, and what was invalidated. */
const DECISIVE = [
  'vmid_generation++',
  'find_next_zero_bit',
  'alloc tag',
  'domain',
  'VTTBR :=',
  'TLBI',
  'guest: TLBI',
  'drop VMID',
] as const;

/** The *why* of a report: the promise, what broke it, and the last steps that decided it. */
export function explain(
  observation: Observation,
  failure: Failure,
  sources: FailureSources | undefined,
): readonly WhyLine[] {
  if (PROMISES[failure.rule] === undefined || failure.monitor === 'translation')
    return explainTranslation(observation, failure, sources);
  return explainBySteps({ promises: PROMISES, decisive: DECISIVE }, observation, failure);
}
