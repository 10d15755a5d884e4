/** A device may still get where a promise says that it cannot; which promise it is depends on who uses the page next. */
export const STALE = [
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'translation', rule: 'unknown-translation' },
  { monitor: 'translation', rule: 'wrong-address-space' },
  { monitor: 'translation', rule: 'translated-while-blocked' },
  { monitor: 'translation', rule: 'translated-while-bypass' },
  { monitor: 'translation', rule: 'spurious-fault' },
  { monitor: 'translation', rule: 'tlb-conflict' },
  { monitor: 'tables', rule: 'table-free-in-use' },
] as const;

/** A number went back while something still carries it, or the tables did before. */
export const TAG_IN_USE = [
  { monitor: 'tables', rule: 'table-free-in-use' },
  { monitor: 'tags', rule: 'tag-free-in-use' },
  ...STALE,
] as const;

const NOT_DISJOINT = { monitor: 'tags', rule: 'tag-not-disjoint' } as const;
const NOT_UNIQUE = { monitor: 'tags', rule: 'tag-not-unique' } as const;
const OVER_INVALIDATION = { monitor: 'invalidation', rule: 'over-invalidation' } as const;

/** Two owners of one number in the SMMU. */
export const ALIASED = [NOT_UNIQUE, NOT_DISJOINT, OVER_INVALIDATION, ...STALE] as const;
/** Two owners of one number, one in the SMMU and one on the CPUs: what shows is what it costs, or that they are two. */
export const OVERLAPPING = [OVER_INVALIDATION, NOT_DISJOINT, NOT_UNIQUE, ...STALE] as const;
export const IN_BOTH_RANGES = [NOT_DISJOINT, OVER_INVALIDATION, NOT_UNIQUE, ...STALE] as const;

/** The number that devices use is not that of the virtual machine any more, or somebody else's too. */
export const UNPINNED = [
  { monitor: 'tags', rule: 'pinned-shared' },
  { monitor: 'tags', rule: 'pinned-changed' },
  NOT_DISJOINT,
  NOT_UNIQUE,
  OVER_INVALIDATION,
  { monitor: 'tags', rule: 'tag-shared' },
  { monitor: 'tags', rule: 'tag-split' },
  { monitor: 'reach', rule: 'foreign-translation' },
  { monitor: 'reach', rule: 'stale-translation' },
  ...STALE,
] as const;

/** A virtual machine goes while somebody uses it. */
export const GONE = [
  { monitor: 'safety', rule: 'use-after-free' },
  { monitor: 'safety', rule: 'refcount-underflow' },
  { monitor: 'safety', rule: 'leak' },
] as const;
