import type { SmmuHazard } from './hazard.ts';

export type { SmmuHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const SMMU_HAZARDS: readonly SmmuHazard[] = [];
