import { bugs as asid } from './asid.ts';
import { bugs as smmu } from './smmu.ts';
import { bugs as entries } from './entries.ts';
import { bugs as cmdq } from './cmdq.ts';
import { bugs as rollover } from './rollover.ts';
import { bugs as vmid } from './vmid.ts';
import { bugs as sva } from './sva.ts';
import { bugs as btm } from './btm.ts';
import { bugs as ioasid } from './ioasid.ts';
import { bugs as prs } from './prs.ts';

/** Written by `npm run corpus`: the bugs that are known, by family. */
export const knownBugs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  asid,
  smmu,
  entries,
  cmdq,
  rollover,
  vmid,
  sva,
  btm,
  ioasid,
  prs,
};
