import type { KernelParts } from '../../impl/kernel/index.ts';
import type { Configuration, Family } from '../family.ts';
import { hazardNamed as named } from '../hazard-named.ts';
import { configurations, asidConfiguration, plainer } from './configuration.ts';
import { ASID_COST } from './cost.ts';
import { ASID_HAZARDS, type AsidHazard } from './hazards/index.ts';
import { ASID_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { ASID_SMALL } from './small.ts';
import { WITNESSES } from './witnesses.ts';
import { AsidWorld } from './world.ts';

/** See `hazardNamed` of all families. */
export function hazardNamed(id: string): AsidHazard {
  return named('asid', ASID_HAZARDS, id);
}

function partsOf({ reassign = 'both' }: Configuration, hazard: string | undefined): Partial<KernelParts> {
  const parts = hazard === undefined ? {} : hazardNamed(hazard).parts;
  if (parts.sva !== undefined && reassign !== 'both')
    throw new RangeError(`hazard ${hazard ?? ''} is in the way that "reassign=${String(reassign)}" goes instead of`);
  return parts;
}

/** ASID sharing between CPU and SMMU, and the orders that the SMMUv3 driver must keep, at stage 1 without ATS. */
export const asid: Family = {
  name: 'asid',
  summary: 'ASID sharing and reassignment, and the SMMUv3 driver’s invalidation order (stage 1)',
  hazards: ASID_HAZARDS,
  litmus: ASID_LITMUS,
  configurations,
  programs: (configuration) => programs(asidConfiguration(configuration)),
  world: (configuration, hazard) => new AsidWorld(configuration, partsOf(configuration, hazard)),
  small: ASID_SMALL,
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
  cost: ASID_COST,
};
