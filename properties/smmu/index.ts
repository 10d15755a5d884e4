import type { Family } from '../family.ts';
import { hazardNamed as named } from '../hazard-named.ts';
import { configurations, plainer, smmuConfiguration } from './configuration.ts';
import { SMMU_HAZARDS, type SmmuHazard } from './hazards/index.ts';
import { SMMU_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { SMMU_SMALL } from './small.ts';
import { WITNESSES } from './witnesses.ts';
import { SmmuWorld } from './world.ts';

/** See `hazardNamed` of all families. */
export function hazardNamed(id: string): SmmuHazard {
  return named('smmu', SMMU_HAZARDS, id);
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
