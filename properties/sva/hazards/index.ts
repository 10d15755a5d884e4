import type { SvaHazard } from './hazard.ts';
import { LISTENING_HAZARDS } from './listening.ts';
import { NUMBER_HAZARDS } from './numbers.ts';
import { UNMAPPING_HAZARDS } from './unmapping.ts';

export type { SvaHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const SVA_HAZARDS: readonly SvaHazard[] = [...LISTENING_HAZARDS, ...UNMAPPING_HAZARDS, ...NUMBER_HAZARDS];
