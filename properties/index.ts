import { asid } from './asid/index.ts';
import { btm } from './btm/index.ts';
import { cmdq } from './cmdq/index.ts';
import type { Family } from './family.ts';
import { ioasid } from './ioasid/index.ts';
import { prs } from './prs/index.ts';
import { rollover } from './rollover/index.ts';
import { entries } from './smmu/entries/index.ts';
import { smmu } from './smmu/index.ts';
import { sva } from './sva/index.ts';
import { vmid } from './vmid/index.ts';

/** The families of software properties, the main one first. (Device models are checked by `conformance/`.) */
export const families: readonly Family[] = [asid, smmu, entries, cmdq, rollover, vmid, sva, btm, ioasid, prs];
