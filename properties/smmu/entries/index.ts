import type { Family } from '../../family.ts';
import { configurations, contentsOf, entriesConfiguration, plainer, type Subject } from './configuration.ts';
import { ENTRIES_HAZARDS, type EntriesHazard } from './hazards/index.ts';
import { ENTRIES_LITMUS } from './litmus.ts';
import { alphabet, programs, simplify } from './programs.ts';
import { EntriesWorld, WITNESSES } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
export function hazardNamed(id: string): EntriesHazard {
  const found = ENTRIES_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = ENTRIES_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family entries has no hazard "${id}"; it has ${known}`);
}

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
    new EntriesWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: {
    worlds: [...worldsOf('ste'), ...worldsOf('cd'), ...worldsOf('cd-two-level')],
    alphabet: (configuration) => alphabet(entriesConfiguration(configuration)),
  },
  plainer,
  simplify,
  witnesses: Object.values(WITNESSES),
};
