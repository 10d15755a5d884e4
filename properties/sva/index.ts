import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { configurations, plainer } from './configuration.ts';
import { SVA_COST } from './cost.ts';
import { SVA_HAZARDS } from './hazards/index.ts';
import { SVA_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { SVA_SMALL } from './small.ts';
import { WITNESS_NAMES } from './witnesses.ts';
import { SvaWorld } from './world.ts';

/** Processes that CPUs and devices share, while CPUs broadcast their TLB maintenance to the SMMU. */
export const sva: Family = {
  name: 'sva',
  summary: 'processes shared with devices by the ASIDs of the CPUs, whose TLB maintenance the SMMU hears (BTM)',
  hazards: SVA_HAZARDS,
  litmus: SVA_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) =>
    new SvaWorld(configuration, hazard === undefined ? {} : hazardNamed('sva', SVA_HAZARDS, hazard).parts),
  small: SVA_SMALL,
  plainer,
  simplify,
  witnesses: WITNESS_NAMES,
  cost: SVA_COST,
};
