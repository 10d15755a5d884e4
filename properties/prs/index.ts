import type { Family } from '../family.ts';
import { configurations, PLAIN, plainer, simplify } from './configuration.ts';
import { PRS_HAZARDS, type PrsHazard } from './hazards/index.ts';
import { PRS_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { PrsWorld, WITNESSES } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
function hazardNamed(id: string): PrsHazard {
  const found = PRS_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = PRS_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family prs has no hazard "${id}"; it has ${known}`);
}

/** Page requests of devices, from the queue of the IOMMU to the response, while PASIDs come and go. */
export const prs: Family = {
  name: 'prs',
  summary:
    'page requests: the queue of the IOMMU, groups, handlers, responses, and the drain before a PASID changes hands',
  hazards: PRS_HAZARDS,
  litmus: PRS_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) => new PrsWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: {
    worlds: [
      { name: 'plain', configuration: PLAIN },
      { name: 'two-pasids', configuration: { ...PLAIN, pasids: 2 } },
      { name: 'one-entry', configuration: { ...PLAIN, entries: 2 } },
      { name: 'wire', configuration: { ...PLAIN, wire: true } },
      { name: 'two-devices', configuration: { ...PLAIN, devices: 2, attached: 2 } },
      { name: 'not-attached', configuration: { ...PLAIN, attached: 0 } },
      { name: 'user', configuration: { ...PLAIN, user: true } },
      { name: 'stall', configuration: { ...PLAIN, stall: true } },
    ],
    alphabet,
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
