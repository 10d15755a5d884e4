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
};

/** Steps by which a request goes its way. */
const DECISIVE = [
  'PASID entry',
  'device-TLB flush',
  'requests of',
  'list_',
  'find_fault_handler',
  'PQH',
  'queue_work',
  'page response',
  'CMD_RESUME',
  'kfree',
];

/** The *why* of a report. */
export function explain(observation: Observation, failure: Failure): readonly WhyLine[] {
  return explainBySteps({ promises: PROMISES, decisive: DECISIVE }, observation, failure);
}
