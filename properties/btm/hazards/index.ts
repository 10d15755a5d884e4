import { BROADCAST_HAZARDS } from './broadcasts.ts';
import type { BtmHazard } from './hazard.ts';
import { LIFETIME_HAZARDS } from './lifetime.ts';
import { VMID_HAZARDS } from './vmids.ts';

export type { BtmHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const BTM_HAZARDS: readonly BtmHazard[] = [...VMID_HAZARDS, ...BROADCAST_HAZARDS, ...LIFETIME_HAZARDS];
