import type { Family } from '../family.ts';
import { btmConfiguration, configurations, plainer } from './configuration.ts';
import { BTM_COST } from './cost.ts';
import { BTM_HAZARDS, type BtmHazard } from './hazards/index.ts';
import { BTM_LITMUS } from './litmus.ts';
import { simplify } from './operations.ts';
import { programs } from './programs.ts';
import { BTM_SMALL } from './small.ts';
import { WITNESSES } from './witnesses.ts';
import { BtmWorld } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
function hazardNamed(id: string): BtmHazard {
  const found = BTM_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = BTM_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family btm has no hazard "${id}"; it has ${known}`);
}

/** Virtual machines whose VMIDs KVM and the SMMU both use, under broadcast TLB maintenance. */
export const btm: Family = {
  name: 'btm',
  summary: 'virtual machines with devices under broadcast TLB maintenance: who owns a VMID that KVM and the SMMU share',
  hazards: BTM_HAZARDS,
  litmus: BTM_LITMUS,
  configurations,
  programs: (configuration) => programs(btmConfiguration(configuration)),
  world: (configuration, hazard) => new BtmWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: BTM_SMALL,
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
  cost: BTM_COST,
};
