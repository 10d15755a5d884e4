import type { Failure } from '../../engine/failure.ts';
import type { Observation } from '../../engine/observe.ts';
import type { WhyLine } from '../family.ts';

/** What each rule promises, and where that is written. */
const PROMISES: Readonly<Record<string, string>> = {
  'stale-translation':
    'a page is freed after the flush, and then no CPU that runs the process can reach it (TLBEmptyInvalPTE, kernel-tla/asidalloc.tla).',
  'foreign-translation': 'a CPU finds nothing in its TLB under an ASID but what the process that has it put there.',
  'table-free-in-use':
    'a page-table page is freed when no walk reads it any more: after an invalidation that covers entries of tables, and by the last reference to the process (tlb_flush(), mmdrop()).',
  'halves-shared':
    'with KPTI the ASID while the CPU is in the kernel is another one than outside (set_kpti_asid_bits(), USER_ASID_FLAG).',
  'double-free': 'a page goes back to the allocator once (zap_pte_range(), try_to_unmap_one()).',
  leak: 'what nobody uses any more is given back (mmdrop(), arm64_mm_context_put()).',
  'tag-split': 'all CPUs that run a process do so under one ASID (SameASIDActiveTask, kernel-tla/asidalloc.tla).',
  'tag-shared': 'CPUs that run two processes do so under two ASIDs (UniqueASIDActiveTask, kernel-tla/asidalloc.tla).',
  'running-not-reserved':
    'all copies of an ASID among the reserved ones follow the id of the process (check_update_reserved_asid()).',
  'pinned-changed': 'an ASID that devices use stays that of its process until it is put (arm64_mm_context_get()).',
  'pinned-shared': 'an ASID that devices use goes to no other process until it is put (arm64_mm_context_get()).',
  'no-free-asid': 'there must always be an ASID available after a roll-over (asids_update_limit()).',
};

/** Steps that tell how an ASID came where it is. */
const DECISIVE = [
  { starts: 'asid_generation++', head: 'Because' },
  { starts: 'find_next_zero_bit', head: 'Because' },
  { starts: 'TLBI', head: 'Because' },
  { starts: 'TTBR0', head: 'Because' },
] as const;

/** The *why* of a report: the promise, what broke it, and the last steps that decided it. */
export function explain({ steps }: Observation, failure: Failure): readonly WhyLine[] {
  const promise = PROMISES[failure.rule];
  const because = DECISIVE.flatMap(({ starts, head }): { at: number; line: WhyLine }[] => {
    const at = steps.findLastIndex(({ label }) => label.startsWith(starts));
    const found = steps[at];
    if (found === undefined) return [];
    return [{ at, line: { head, text: `step ${at + 1}: ${found.agentName}, ${found.label}.` } }];
  });
  return [
    ...(promise === undefined ? [] : [{ head: 'Then', text: promise }]),
    { head: 'However', text: failure.message },
    ...because.toSorted((a, b) => a.at - b.at).map(({ line }) => line),
  ];
}
