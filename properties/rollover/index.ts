import type { Family } from '../family.ts';
import { hazardNamed } from '../hazard-named.ts';
import { configurations, PLAIN, plainer, simplify, rolloverOperation } from './configuration.ts';
import { ROLLOVER_HAZARDS } from './hazards/index.ts';
import { ROLLOVER_LITMUS } from './litmus.ts';
import { alphabet, programs } from './programs.ts';
import { RolloverWorld, WITNESSES } from './world.ts';

/** Room for as many CPUs as programs are exhausted on, and for one pinned ASID. */
const SMALL = { ...PLAIN, cpus: 3, asids: 5 };

/** The ASID allocator of arm64 over the TLBs of its CPUs. */
export const rollover: Family = {
  name: 'rollover',
  summary: 'the ASID allocator of arm64: roll-overs, pinned ASIDs, and invalidation by ASID, over the TLBs of the CPUs',
  hazards: ROLLOVER_HAZARDS,
  litmus: ROLLOVER_LITMUS,
  configurations,
  programs,
  world: (configuration, hazard) =>
    new RolloverWorld(
      configuration,
      hazard === undefined ? {} : hazardNamed('rollover', ROLLOVER_HAZARDS, hazard).parts,
    ),
  small: {
    worlds: [
      { name: 'plain', configuration: SMALL },
      { name: 'used-up', configuration: { ...SMALL, taken: 5 } },
      { name: 'one-left', configuration: { ...SMALL, taken: 4 } },
      { name: 'cnp', configuration: { ...SMALL, cnp: true, taken: 5 } },
      { name: 'weak', configuration: { ...SMALL, weak: 1, taken: 5 } },
      { name: 'pairs', configuration: { ...SMALL, kpti: true, taken: 5 } },
      { name: 'two-levels', configuration: { ...SMALL, levels: 2, pages: 2, taken: 5 } },
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
