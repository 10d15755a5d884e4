import type { Hazard } from '../../family.ts';
import type { RolloverParts } from '../kernel.ts';

/** A hazard of this family: the allocator or the invalidation is replaced by a subclass. */
export interface RolloverHazard extends Hazard {
  readonly parts: Partial<RolloverParts>;
}

/** What nobody uses any more was not given back. */
export const LEAKED = { monitor: 'safety', rule: 'leak' } as const;
const NO_FREE = { monitor: 'tags', rule: 'no-free-asid' } as const;
const LOST = { monitor: 'tags', rule: 'running-not-reserved' } as const;
const SHARED = { monitor: 'tags', rule: 'tag-shared' } as const;
const SPLIT = { monitor: 'tags', rule: 'tag-split' } as const;
const FOREIGN = { monitor: 'reach', rule: 'foreign-translation' } as const;
export const STALE = { monitor: 'reach', rule: 'stale-translation' } as const;
/** A table page that a walk may still read has gone back to the allocator. */
export const TABLE_FREED = { monitor: 'reach', rule: 'table-free-in-use' } as const;
const PINNED_SHARED = { monitor: 'tags', rule: 'pinned-shared' } as const;
const PINNED_CHANGED = { monitor: 'tags', rule: 'pinned-changed' } as const;

/** Two processes under one ASID, or one under two: which of these shows depends on what is asked next. */
export const CONFUSED = [LOST, SHARED, FOREIGN, SPLIT, STALE, PINNED_SHARED, PINNED_CHANGED] as const;
/** The same where a TLB has what is another process's. */
export const LEFT_BEHIND = [FOREIGN, STALE, SHARED, SPLIT, LOST] as const;
/** The same where a device has the ASID. */
export const UNPINNED = [PINNED_SHARED, PINNED_CHANGED, LOST, SHARED, FOREIGN, SPLIT, STALE, NO_FREE, LEAKED] as const;
const HALVES = { monitor: 'tags', rule: 'halves-shared' } as const;
/** The same where two pairs of ASIDs have one in common, or the two of a pair are one. */
export const SPLIT_PAIR = [HALVES, SHARED, FOREIGN, STALE, LOST, SPLIT] as const;
/** The page is reached after it was freed, or a table is. */
export const REACHED = [STALE, TABLE_FREED] as const;
