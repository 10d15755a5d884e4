import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import { explainBySteps } from '../decisive-steps.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'reclaimed-while-live':
    'a number goes back to the pool when nothing is reached by it: its table entry, PASID cache, TLB and device-TLB are clean.',
  'reused-while-live': 'a number is given out again when nothing is reached by it.',
  'two-owners': 'a number has one owner, and an allocation returns what its caller owns.',
  'wrong-space': 'a PASID leads to the space of the owner of its number.',
  'reachable-after-unbind': 'when unbind has returned, the device does not reach the space.',
  'translated-unowned': 'a guest submits work by numbers of its own only.',
  'notify-order': 'KVM is told last of a bind and first of an unbind or a free.',
  'torn-entry':
    'an entry is present while all its words belong together: P is set last and cleared first, and the rest is cleared when nothing is cached of it.',
  'quota-exceeded': 'a set has no more numbers than its quota.',
};

/** Steps by which a number goes its way. */
const DECISIVE = [
  'ioasid_free',
  'xa_alloc',
  'xa_erase',
  'PASID entry',
  'flush',
  'refcount_dec',
  'kfree',
  'queue_work',
  'invalidation',
];

/** The *why* of a report. */
export function explain(observation: Observation, failure: Failure): readonly WhyLine[] {
  return explainBySteps({ promises: PROMISES, decisive: DECISIVE }, observation, failure);
}
