import type { Family } from '../family.ts';
import { configurations, plainer } from './configuration.ts';
import { SVA_COST } from './cost.ts';
import { SVA_HAZARDS, type SvaHazard } from './hazards/index.ts';
import { SVA_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { SVA_SMALL } from './small.ts';
import { WITNESS_NAMES } from './witnesses.ts';
import { SvaWorld } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
function hazardNamed(id: string): SvaHazard {
  const found = SVA_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = SVA_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family sva has no hazard "${id}"; it has ${known}`);
}

/** Processes that CPUs and devices share, while CPUs broadcast their TLB maintenance to the SMMU. */
export const sva: Family = {
  name: 'sva',
  summary: 'processes shared with devices by the ASIDs of the CPUs, whose TLB maintenance the SMMU hears (BTM)',
  hazards: SVA_HAZARDS,
  litmus: SVA_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) => new SvaWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: SVA_SMALL,
  plainer,
  simplify,
  witnesses: WITNESS_NAMES,
  cost: SVA_COST,
};
