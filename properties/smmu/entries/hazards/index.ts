import type { EntriesHazard } from './hazard.ts';
import { INVALIDATION_HAZARDS } from './invalidation.ts';
import { ORDER_HAZARDS } from './order.ts';
import { USED_BITS_HAZARDS } from './used-bits.ts';

export type { EntriesHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const ENTRIES_HAZARDS: readonly EntriesHazard[] = [
  ...ORDER_HAZARDS,
  ...USED_BITS_HAZARDS,
  ...INVALIDATION_HAZARDS,
];
