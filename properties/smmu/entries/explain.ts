import type { Failure } from '../../../engine/failure.ts';
import type { Observation } from '../../../engine/observe.ts';
import type { WhyLine } from '../../family.ts';

/** The *why* of a report: the promise, the mix that breaks it, and the last store before it could be fetched. */
export function explain({ steps }: Observation, failure: Failure): readonly WhyLine[] {
  const words = failure.data?.['words'];
  const store = steps.findLastIndex(({ label }) => label.includes(':='));
  const command = steps.findLastIndex(({ label }) => label.startsWith('CMD_SYNC'));
  return [
    { head: 'Then', text: failure.message },
    ...(words === undefined ? [] : [{ head: 'However', text: `a fetch, word by word, may have got: ${words}.` }]),
    ...(store < 0 ? [] : [{ head: 'Because', text: `of step ${store + 1}, ${steps[store]?.label}.` }]),
    {
      head: 'Missing',
      text:
        command < store || command < 0
          ? 'since that store no CFGI has completed, so what was fetched before it may still be held.'
          : 'an invalidation that covers what is held.',
    },
  ];
}
