import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { btmConfiguration, configurations, plainer } from './configuration.ts';
import { BTM_COST } from './cost.ts';
import { BTM_HAZARDS } from './hazards/index.ts';
import { BTM_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { BTM_SMALL } from './small.ts';
import { WITNESSES } from './witnesses.ts';
import { BtmWorld } from './world.ts';

/** Virtual machines whose VMIDs KVM and the SMMU both use, under broadcast TLB maintenance. */
export const btm: Family = {
  name: 'btm',
  summary: 'virtual machines with devices under broadcast TLB maintenance: who owns a VMID that KVM and the SMMU share',
  hazards: BTM_HAZARDS,
  litmus: BTM_LITMUS,
  configurations,
  programs: (configuration) => programs(btmConfiguration(configuration)),
  world: (configuration, hazard) =>
    new BtmWorld(configuration, hazard === undefined ? {} : hazardNamed('btm', BTM_HAZARDS, hazard).parts),
  small: BTM_SMALL,
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
  cost: BTM_COST,
};
