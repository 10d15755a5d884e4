import type { Family } from '../family.ts';
import { configurations, PLAIN, plainer, simplify, rolloverOperation } from './configuration.ts';
import { ROLLOVER_HAZARDS, type RolloverHazard } from './hazards/index.ts';
import { ROLLOVER_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { RolloverWorld, WITNESSES } from './world.ts';

/**
 * A hazard of the family.
 *
 * @throws RangeError for an unknown one, naming those there are.
 */
function hazardNamed(id: string): RolloverHazard {
  const found = ROLLOVER_HAZARDS.find((hazard) => hazard.id === id);
  if (found !== undefined) return found;
  const known = ROLLOVER_HAZARDS.map((hazard) => hazard.id).join(', ');
  throw new RangeError(`family rollover has no hazard "${id}"; it has ${known}`);
}

/** The ASID allocator of arm64 over the TLBs of its CPUs. */
export const rollover: Family = {
  name: 'rollover',
  summary: 'the ASID allocator of arm64: roll-overs, pinned ASIDs, and invalidation by ASID, over the TLBs of the CPUs',
  hazards: ROLLOVER_HAZARDS,
  litmus: ROLLOVER_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) =>
    new RolloverWorld(configuration, hazard === undefined ? {} : hazardNamed(hazard).parts),
  small: {
    worlds: [
      { name: 'plain', configuration: PLAIN },
      { name: 'used-up', configuration: { ...PLAIN, taken: 3 } },
      { name: 'one-left', configuration: { ...PLAIN, taken: 2 } },
      { name: 'one-cpu', configuration: { ...PLAIN, cpus: 1, taken: 2 } },
      { name: 'cnp', configuration: { ...PLAIN, cnp: true, taken: 3 } },
      { name: 'weak', configuration: { ...PLAIN, weak: 1, taken: 3 } },
    ],
    alphabet,
    alike: (_configuration, operation) => {
      const known = rolloverOperation(operation);
      return 'mm' in known ? { kind: 'process', index: known.mm } : undefined;
    },
  },
  plainer,
  simplify,
  witnesses: WITNESSES,
};
