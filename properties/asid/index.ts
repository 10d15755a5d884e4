import type { Family, Hazard } from '../family.ts';
import { configurations, asidConfiguration } from './configuration.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { WITNESSES } from './witnesses.ts';
import { AsidWorld } from './world.ts';

const hazards: readonly Hazard[] = [];

/** ASID sharing between CPU and SMMU, and the orders that the SMMUv3 driver must keep, at stage 1 without ATS. */
export const asid: Family = {
  name: 'asid',
  summary: 'ASID sharing and reassignment, and the SMMUv3 driver’s invalidation order (stage 1)',
  hazards,
  litmus: [],
  configurations,
  programs: (configuration) => programs(asidConfiguration(configuration)),
  world: (configuration) => new AsidWorld(configuration),
  simplify,
  witnesses: Object.values(WITNESSES),
};
