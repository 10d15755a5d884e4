import type { Hazard } from '../../family.ts';
import type { VmidParts } from '../kernel.ts';

/** A hazard of this family: one class of KVM is replaced by a subclass. */
export interface VmidHazard extends Hazard {
  readonly parts: Partial<VmidParts>;
}

export const LOST = { monitor: 'tags', rule: 'running-not-reserved' } as const;
export const SHARED = { monitor: 'tags', rule: 'tag-shared' } as const;
export const SPLIT = { monitor: 'tags', rule: 'tag-split' } as const;
export const MISMATCH = { monitor: 'tags', rule: 'vttbr-mismatch' } as const;
export const FOREIGN = { monitor: 'reach', rule: 'foreign-translation' } as const;
const STALE = { monitor: 'reach', rule: 'stale-translation' } as const;
const PINNED_SHARED = { monitor: 'tags', rule: 'pinned-shared' } as const;
export const PINNED_CHANGED = { monitor: 'tags', rule: 'pinned-changed' } as const;

export const ZERO = { monitor: 'tags', rule: 'vmid-zero-entered' } as const;

/** Something is not given back. */
export const LEAKED = { monitor: 'safety', rule: 'leak' } as const;

/** Two machines under one VMID, or one under two: which of these shows depends on what is asked next. */
export const CONFUSED = [LOST, SHARED, MISMATCH, FOREIGN, SPLIT, STALE, PINNED_SHARED, PINNED_CHANGED] as const;
/** The same where a TLB has what is another machine's. */
export const LEFT_BEHIND = [FOREIGN, STALE, SHARED, SPLIT, LOST, MISMATCH, PINNED_SHARED, PINNED_CHANGED] as const;
/** The same where a device has the VMID. */
export const UNPINNED = [PINNED_SHARED, PINNED_CHANGED, ...CONFUSED] as const;
/** The page is reached after it was freed. */
export const REACHED = [STALE] as const;
/** A roll-over keeps what nobody runs. */
export const IDLE = [{ monitor: 'tags', rule: 'idle-reserved' }, ...CONFUSED] as const;
