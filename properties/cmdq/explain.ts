import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'command-lost': 'each command is consumed, in the order in which its CPU issued it.',
  'command-stale': 'CMDQ_PROD passes an entry only after the command in it was written.',
  'list-interleaved': 'the commands of one list stand together.',
  'data-late': 'what a CPU stored before it issues a command is in memory before the command is.',
  'sync-early': 'a list with a CMD_SYNC returns after it was consumed.',
  'entry-overwritten': 'software does not write an entry that is full (IHI 0070 §3.21.2).',
  'prod-inconsistent': 'CMDQ_PROD goes forward, and not past the room there is (IHI 0070 §3.21.2).',
  'event-stale': 'a record is read after EVENTQ_PROD was seen to have passed it.',
  'event-lost': 'a record is read before its entry is given back.',
};

/** The *why* of a report: the promise, what broke it, and the last accesses to the queue before. */
export function explain({ steps }: Observation, failure: Failure): readonly WhyLine[] {
  const promise = PROMISES[failure.rule];
  const last = (matches: (label: string) => boolean, head: string): WhyLine[] => {
    const at = steps.findLastIndex(({ label }) => matches(label));
    const found = steps[at];
    return found === undefined ? [] : [{ head, text: `step ${at + 1}: ${found.agentName}, ${found.label}.` }];
  };
  return [
    ...(promise === undefined ? [] : [{ head: 'Then', text: promise }]),
    { head: 'However', text: failure.message },
    ...last((label) => label.startsWith('CMDQ_PROD') || label.startsWith('EVENTQ_PROD'), 'Because'),
    ...last((label) => label.startsWith('entry ') || label.startsWith('read record'), 'Because'),
  ];
}
