import type { Family } from '../family.ts';
import { configurations, plainer, smmuConfiguration } from './configuration.ts';
import { SMMU_HAZARDS, type SmmuHazard } from './hazards/index.ts';
import { SMMU_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { SMMU_SMALL } from './small.ts';
import { WITNESSES } from './witnesses.ts';
import { SmmuWorld } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
export function hazardNamed(id: string): SmmuHazard {
  const found = SMMU_HAZARDS.find((hazard) => hazard.id === id);
  if (found === undefined)
    throw new RangeError(
      `family smmu has no hazard "${id}"; it has ${SMMU_HAZARDS.map((hazard) => hazard.id).join(', ')}`,
    );
  return found;
}

/** A hypervisor's SMMUv3 driver: stage 2, nested translation for a guest, and ATS. */
export const smmu: Family = {
  name: 'smmu',
  summary: 'stage 2, nested translation and ATS: what a hypervisor, its guest and devices with caches must keep apart',
  hazards: SMMU_HAZARDS,
  litmus: SMMU_LITMUS,
  configurations,
  programs: (configuration) => programs(smmuConfiguration(configuration)),
  world: (configuration, hazard) => new SmmuWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: SMMU_SMALL,
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
};
