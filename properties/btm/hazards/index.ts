import type { BtmHazard } from './hazard.ts';

export type { BtmHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const BTM_HAZARDS: readonly BtmHazard[] = [];
