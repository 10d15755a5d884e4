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
    'PASID numbers: sets, references, free against unbind in several designs, notifications of KVM and the IOMMU',
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
    return new IoasidWorld({ ...configuration, design, table, ...bound }, parts, { strict: !lenient });
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
    ],
    alphabet,
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
