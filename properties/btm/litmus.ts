import type { Litmus } from '../family.ts';

/** The smallest program for each way in which the family's software can go wrong. */
export const BTM_LITMUS: readonly Litmus[] = [];
