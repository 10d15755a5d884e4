import type { VmidHazard } from './hazard.ts';

export type { VmidHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const VMID_HAZARDS: readonly VmidHazard[] = [];
