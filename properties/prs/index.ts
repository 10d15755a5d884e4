import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { configurations, PLAIN, plainer, simplify } from './configuration.ts';
import { PRS_HAZARDS } from './hazards/index.ts';
import { LIFE_LITMUS } from './litmus-life.ts';
import { PRS_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { PrsWorld, WITNESSES } from './world.ts';

/** Page requests of devices, from the queue of the IOMMU to the response, while PASIDs come and go. */
export const prs: Family = {
  name: 'prs',
  summary:
    'page requests: the queue of the IOMMU, groups, handlers, responses, and the drain before a PASID changes hands',
  hazards: PRS_HAZARDS,
  litmus: [...PRS_LITMUS, ...LIFE_LITMUS],
  configurations,
  programs,
  world: (configuration, hazard) =>
    new PrsWorld(configuration, hazard === undefined ? {} : hazardNamed('prs', PRS_HAZARDS, hazard).parts),
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
      { name: 'pinned', configuration: { ...PLAIN, pinned: true } },
      { name: 'life', configuration: { ...PLAIN, life: true } },
      { name: 'life-stall', configuration: { ...PLAIN, life: true, stall: true } },
      { name: 'closable', configuration: { ...PLAIN, life: true, user: true } },
    ],
    alphabet,
    // Group indices of a device are free at first, and neither the IOMMU nor its driver tells one from another.
    alike: (_configuration, operation) => {
      const { device, group } = operation;
      return typeof device === 'number' && typeof group === 'number'
        ? { kind: `index of dev${device}`, index: group }
        : undefined;
    },
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
