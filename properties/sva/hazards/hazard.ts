import type { BtmParts } from '../../../impl/kernel/btm/index.ts';
import type { Hazard } from '../../family.ts';

/** A hazard of this family: a part of the kernel is replaced by a subclass. */
export interface SvaHazard extends Hazard {
  readonly parts: Partial<BtmParts>;
}

const STALE = { monitor: 'translation', rule: 'stale-translation' } as const;
const WRONG = { monitor: 'translation', rule: 'wrong-address-space' } as const;
const CONFLICT = { monitor: 'translation', rule: 'tlb-conflict' } as const;
const TABLE = { monitor: 'tables', rule: 'table-free-in-use' } as const;
const NOT_UNIQUE = { monitor: 'tags', rule: 'tag-not-unique' } as const;
const FREED = { monitor: 'tags', rule: 'tag-free-in-use' } as const;
const PINNED_SHARED = { monitor: 'tags', rule: 'pinned-shared' } as const;
const PINNED_CHANGED = { monitor: 'tags', rule: 'pinned-changed' } as const;
const UNKNOWN = { monitor: 'translation', rule: 'unknown-translation' } as const;
const LOST = { monitor: 'tags', rule: 'running-not-reserved' } as const;
const TAG_SHARED = { monitor: 'tags', rule: 'tag-shared' } as const;
const TAG_SPLIT = { monitor: 'tags', rule: 'tag-split' } as const;

/** A page is reached by an entry that an invalidation has missed: the page itself, or by a table that went. */
export const MISSED = [STALE, TABLE, CONFLICT, UNKNOWN] as const;
/** Two spaces under one ASID, of which one answers for the other. */
export const MIXED_UP = [WRONG, STALE, NOT_UNIQUE, FREED, TABLE, CONFLICT, UNKNOWN] as const;
/** The same where the CPUs' allocator has given an ASID away that a device uses. */
const LEAKED = { monitor: 'safety', rule: 'leak' } as const;
export const UNPINNED = [PINNED_SHARED, PINNED_CHANGED, ...MIXED_UP, LOST, TAG_SHARED, TAG_SPLIT, LEAKED] as const;
/** A device has another ASID than the CPUs know the process by. */
export const NOT_THAT_OF_CPUS = [PINNED_CHANGED, PINNED_SHARED] as const;
/** Entries of a private domain go for nothing. */
export const LOST_FOR_NOTHING = [{ monitor: 'invalidation', rule: 'over-invalidation' }] as const;
