import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { configurations, PLAIN, plainer, simplify } from './configuration.ts';
import { IOASID_HAZARDS } from './hazards/index.ts';
import { IOASID_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { IoasidWorld, WITNESSES } from './world.ts';

const BOUND = { ...PLAIN, bound: true };

/** PASID numbers: who owns them, who uses them, and when they are free again. */
export const ioasid: Family = {
  name: 'ioasid',
  summary:
    'PASID numbers: sets, guest PASIDs, references, custom allocators, free against unbind in several designs, and who hears of what',
  hazards: IOASID_HAZARDS,
  litmus: IOASID_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) => {
    if (hazard === undefined) return new IoasidWorld(configuration);
    const {
      parts,
      design = 'deferred',
      table = 'abstract',
      unbound = false,
      lenient = false,
    } = hazardNamed('ioasid', IOASID_HAZARDS, hazard);
    const bound = unbound ? { bound: false } : {};
    const chains = configuration['chains'] === true && design === 'deferred';
    return new IoasidWorld({ ...configuration, design, table, chains, ...bound }, parts, { strict: !lenient });
  },
  small: {
    worlds: [
      { name: 'plain', configuration: PLAIN },
      { name: 'bound', configuration: BOUND },
      { name: 'one-number', configuration: { ...BOUND, pasids: 1 } },
      { name: 'two-devices', configuration: { ...BOUND, devices: 2 } },
      { name: 'mutex', configuration: { ...BOUND, design: 'mutex' } },
      { name: 'owner', configuration: { ...BOUND, design: 'owner' } },
      { name: 'vtd', configuration: { ...BOUND, table: 'vtd' } },
      { name: 'vtd-nested', configuration: { ...BOUND, table: 'vtd-nested' } },
      { name: 'smmu', configuration: { ...BOUND, table: 'smmu' } },
      { name: 'faults', configuration: { ...BOUND, faults: true } },
      { name: 'cyclic', configuration: { ...BOUND, policy: 'cyclic' } },
      { name: 'sets', configuration: { ...BOUND, sets: true } },
      { name: 'chains', configuration: { ...BOUND, chains: true } },
      { name: 'custom', configuration: { ...BOUND, custom: true } },
      { name: 'hotplug', configuration: { ...BOUND, hotplug: true } },
      { name: 'drivers-go', configuration: { ...BOUND, chains: true, hotplug: true, owners: 1 } },
    ],
    alphabet,
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
