import { FLUSH_HAZARDS } from './flush.ts';
import { GENERATION_HAZARDS } from './generation.ts';
import type { RolloverHazard } from './hazard.ts';
import { PINNED_HAZARDS } from './pinned.ts';

export type { RolloverHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const ROLLOVER_HAZARDS: readonly RolloverHazard[] = [...GENERATION_HAZARDS, ...FLUSH_HAZARDS, ...PINNED_HAZARDS];
