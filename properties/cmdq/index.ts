import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { cmdqConfiguration, configurations, PLAIN, plainer, simplify } from './configuration.ts';
import { CMDQ_HAZARDS } from './hazards/index.ts';
import { CMDQ_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { CmdqWorld, WITNESSES } from './world.ts';

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
  world: (configuration, hazard) =>
    new CmdqWorld(configuration, hazard === undefined ? {} : hazardNamed('cmdq', CMDQ_HAZARDS, hazard).parts),
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
