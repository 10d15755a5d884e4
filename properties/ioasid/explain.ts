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
  'capacity-lost': 'what sets have and what is left are all the numbers that there are.',
  'freed-by-another': 'a number is freed by who owns it.',
  'freed-twice': 'a number is freed once, and is then pending until its last user has gone.',
  'spid-two-numbers': 'a guest PASID leads to one number.',
  'spid-astray': 'a guest PASID leads to a number of its own guest, until that is freed.',
  'told-out-of-order': 'of a free and an unbind the CPU hears first and devices last; of a bind the other way round.',
  'event-lost': 'who listens knows of every number and bond that there is, whenever he has begun to listen.',
  'queue-by-freed': 'a number goes back to the pool when no device submits by it.',
  'reachable-after-removal': 'a device that has gone leads nowhere.',
  'not-granted': 'while a custom allocator is active, numbers are those that the hypervisor has given.',
  'grant-lost': 'a number of the hypervisor is given back before its allocator goes.',
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
