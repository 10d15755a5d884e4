import { BOND_HAZARDS } from './bonds.ts';
import { DRAIN_HAZARDS } from './drain.ts';
import { EXIT_HAZARDS } from './exit.ts';
import { FAULT_OBJECT_HAZARDS } from './fault-object.ts';
import { GROUP_HAZARDS } from './groups.ts';
import { MEMORY_HAZARDS } from './memory.ts';
import { REPLACE_HAZARDS } from './replace.ts';
import { STALL_HAZARDS } from './stall.ts';
import type { PrsHazard } from './hazard.ts';

export type { PrsHazard } from './hazard.ts';

/** Every hazard of the family. */
export const PRS_HAZARDS: readonly PrsHazard[] = [
  ...DRAIN_HAZARDS,
  ...GROUP_HAZARDS,
  ...FAULT_OBJECT_HAZARDS,
  ...MEMORY_HAZARDS,
  ...REPLACE_HAZARDS,
  ...STALL_HAZARDS,
  ...EXIT_HAZARDS,
  ...BOND_HAZARDS,
];
