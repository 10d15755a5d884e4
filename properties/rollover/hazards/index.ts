import { FLUSH_HAZARDS } from './flush.ts';
import { GENERATION_HAZARDS } from './generation.ts';
import type { RolloverHazard } from './hazard.ts';
import { KPTI_HAZARDS } from './kpti.ts';
import { PINNED_HAZARDS } from './pinned.ts';
import { PROCESS_HAZARDS } from './processes.ts';
import { TABLE_HAZARDS } from './tables.ts';

export type { RolloverHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const ROLLOVER_HAZARDS: readonly RolloverHazard[] = [
  ...GENERATION_HAZARDS,
  ...FLUSH_HAZARDS,
  ...PINNED_HAZARDS,
  ...KPTI_HAZARDS,
  ...TABLE_HAZARDS,
  ...PROCESS_HAZARDS,
];
