import { FLUSH_HAZARDS } from './flush.ts';
import { SCHEME_HAZARDS } from './generation-scheme.ts';
import { GENERATION_HAZARDS } from './generation.ts';
import type { VmidHazard } from './hazard.ts';
import { PINNED_HAZARDS } from './pinned.ts';
import { WALK_HAZARDS } from './walks.ts';

export type { VmidHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const VMID_HAZARDS: readonly VmidHazard[] = [
  ...GENERATION_HAZARDS,
  ...SCHEME_HAZARDS,
  ...FLUSH_HAZARDS,
  ...WALK_HAZARDS,
  ...PINNED_HAZARDS,
];
