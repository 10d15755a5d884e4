import type { Family } from '../family.ts';
import { cmdqConfiguration, configurations, PLAIN, plainer, simplify } from './configuration.ts';
import { CMDQ_HAZARDS, type CmdqHazard } from './hazards/index.ts';
import { CMDQ_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { CmdqWorld, WITNESSES } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
export function hazardNamed(id: string): CmdqHazard {
  const found = CMDQ_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = CMDQ_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family cmdq has no hazard "${id}"; it has ${known}`);
}

/** The command queue with several producers, and the event queue. */
export const cmdq: Family = {
  name: 'cmdq',
  summary: 'the SMMUv3 command queue with several producers and without a lock, and the event queue',
  hazards: CMDQ_HAZARDS,
  litmus: CMDQ_LITMUS,
  configurations,
  programs: (configuration) => {
    cmdqConfiguration(configuration);
    return programs();
  },
  world: (configuration, hazard) => new CmdqWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: {
    worlds: [
      { name: 'plain', configuration: PLAIN },
      { name: 'wrap', configuration: { ...PLAIN, start: 3 } },
      { name: 'second-round', configuration: { ...PLAIN, start: 4 } },
      { name: 'msi', configuration: { ...PLAIN, msi: true } },
      { name: 'weak', configuration: { ...PLAIN, weak: 2, start: 3 } },
      { name: 'eight-entries', configuration: { ...PLAIN, log2Entries: 3, start: 7 } },
    ],
    alphabet,
  },
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
};
