import type { Family } from '../../family.ts';
import { hazardNamed } from '../../hazard-named.ts';
import { configurations, contentsOf, entriesConfiguration, plainer, type Subject } from './configuration.ts';
import { ENTRIES_HAZARDS } from './hazards/index.ts';
import { ENTRIES_LITMUS } from './litmus.ts';
import { alphabet, programs, simplify } from './programs.ts';
import { EntriesWorld, WITNESSES } from './world.ts';

function worldsOf(subject: Subject) {
  return contentsOf(subject).map(({ name }, initial) => ({
    name: `${subject}-${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}`,
    configuration: { subject, initial, weak: 0 },
  }));
}

/** Updates of stream table entries and context descriptors under fetches that are not atomic. */
export const entries: Family = {
  name: 'entries',
  summary: 'updates of stream table entries and context descriptors while the SMMU fetches them word by word',
  hazards: ENTRIES_HAZARDS,
  litmus: ENTRIES_LITMUS,
  configurations,
  programs: (configuration) => programs(entriesConfiguration(configuration)),
  world: (configuration, hazard) =>
    new EntriesWorld(configuration, hazard === undefined ? {} : hazardNamed('entries', ENTRIES_HAZARDS, hazard).parts),
  small: {
    worlds: [...worldsOf('ste'), ...worldsOf('cd'), ...worldsOf('cd-two-level')],
    alphabet: (configuration) => alphabet(entriesConfiguration(configuration)),
  },
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
};
