import { ALLOCATOR_HAZARDS } from './allocators.ts';
import { FREE_HAZARDS } from './free.ts';
import type { IoasidHazard } from './hazard.ts';
import { LISTENER_HAZARDS } from './listeners.ts';
import { NUMBER_HAZARDS } from './numbers.ts';
import { SET_HAZARDS } from './sets.ts';
import { SMMU_TEAR_DOWN_HAZARDS } from './smmu-tear-down.ts';
import { TEAR_DOWN_HAZARDS } from './tear-down.ts';

export type { IoasidHazard } from './hazard.ts';

/** Every hazard of the family. */
export const IOASID_HAZARDS: readonly IoasidHazard[] = [
  ...FREE_HAZARDS,
  ...NUMBER_HAZARDS,
  ...TEAR_DOWN_HAZARDS,
  ...SMMU_TEAR_DOWN_HAZARDS,
  ...SET_HAZARDS,
  ...LISTENER_HAZARDS,
  ...ALLOCATOR_HAZARDS,
];
