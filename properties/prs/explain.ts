import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { explainBySteps } from '../decisive-steps.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'response-not-asked': 'each last request is answered once, and nothing else is (PCIe ATS, Page Request Services).',
  'response-wrong-pasid': 'a response has the PASID of its request.',
  'wrong-space': 'a request is looked after in the space that its PASID led to when it was made.',
  'handled-after-detach':
    'when detach has returned, no request made before is looked after any more (intel_iommu_drain_pasid_prq()).',
  'answered-after-detach':
    'when detach has returned, no response to a request made before is under way (intel_iommu_drain_pasid_prq()).',
  'refused-while-attached': 'a request is not refused while its PASID leads to a space (iommu_attach_device_pasid()).',
  'answered-unhandled': 'success is not reported for what nobody has looked after.',
  'disabled-for-good':
    'lack of memory passes; Response Failure ends page requests of the function for good (PCIe ATS).',
  'group-merged':
    'what an overflow, or lack of memory, has cut off a group is discarded (iopf_queue_discard_partial()).',
  unanswered: 'each last request is answered.',
  'handled-not-faultable': 'nobody looks after requests of a domain all of which is pinned (find_fault_handler()).',
  'handled-after-exit': 'nothing is looked after in a process that has exited (mmget_not_zero()).',
  'walked-after-exit':
    'when its page tables are freed, no device reaches a process any more, though it may still be bound (mmu_notifier_release()).',
  'error-while-bound':
    'a device that is bound may go on when the process has exited, and is refused without a word (arm_smmu_mm_release()).',
  'reclaimed-while-live':
    'a PASID goes back to the pool when no device has an entry of it, and nothing of it is cached (mm_pasid_drop() in __mmdrop()).',
  'reachable-after-unbind':
    'when unbind has returned, the device does not reach the process (iommu_sva_unbind_device()).',
};

/** Steps by which a request goes its way, and a process. */
const DECISIVE = [
  'PASID entry',
  'PASID entries',
  'PASID cache flush',
  'device-TLB flush',
  'requests of',
  'list_',
  'find_fault_handler',
  'PQH',
  'queue_work',
  'page response',
  'CMD_RESUME',
  'kfree',
  'mmput',
  'mm_pasid_drop',
  'free_pgtables',
];

/** Steps by which a request that is never answered went its way. */
const ON_THE_WAY = [
  'page request of',
  'last page request of',
  'read request',
  'PRS.PPR',
  'read PQT, PQH',
  'kzalloc(group)',
  'queue_work',
  'list_',
  'all groups',
  'the group',
  'close(',
  'copy_to_user',
];

/** The *why* of a report. */
export function explain(observation: Observation, failure: Failure): readonly WhyLine[] {
  if (failure.monitor === 'safety') return explainLife(observation, failure);
  return explainBySteps({ promises: PROMISES, decisive: DECISIVE }, observation, failure);
}

/** Of something that is used, or left, beyond its life: who made it and who freed it, and the last use before. */
function explainLife({ steps }: Observation, failure: Failure): readonly WhyLine[] {
  const object = failure.data?.['object'];
  const head = 'Because';
  const named = (what: string, at: number): WhyLine[] => {
    const step = steps[at];
    return step === undefined
      ? []
      : [{ head, text: `step ${at + 1}: ${step.agentName}, ${step.label}, ${what} ${object}.` }];
  };
  const becomes = (state: string): number =>
    steps.findIndex(({ changes }) => changes.some(({ after }) => after === `${object} ${state}`));
  const lines =
    typeof object === 'string' ? [...named('makes', becomes('allocated')), ...named('frees', becomes('freed'))] : [];
  return [{ head: 'However', text: failure.message }, ...lines];
}

/** What became of the request for whose answer a device waits. */
export function explainStuck(observation: Observation, failure: Failure): readonly WhyLine[] {
  const kind = String(failure.data?.['kind']);
  if (failure.rule !== 'lost-wake-up' || kind.startsWith('completion')) return [];
  return explainBySteps({ promises: {}, decisive: ON_THE_WAY }, observation, failure).filter(
    ({ head }) => head === 'Because',
  );
}
