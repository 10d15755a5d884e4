import { EVTQ_HAZARDS } from './evtq.ts';
import type { CmdqHazard } from './hazard.ts';
import { PUBLICATION_HAZARDS } from './publication.ts';
import { ROOM_HAZARDS } from './room.ts';

export type { CmdqHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const CMDQ_HAZARDS: readonly CmdqHazard[] = [...PUBLICATION_HAZARDS, ...ROOM_HAZARDS, ...EVTQ_HAZARDS];
