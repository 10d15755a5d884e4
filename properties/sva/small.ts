import type { SmallScope, SmallWorld } from '../family.ts';
import { PLAIN, svaConfiguration, type SvaConfiguration } from './configuration.ts';
import type { SvaOperation } from './operations.ts';
import { alphabet } from './programs.ts';

/** Room for as many CPUs as programs are exhausted on, and for a pinned ASID. */
const SMALL: SvaConfiguration = { ...PLAIN, cpus: 3, asids: 5 };

function world(name: string, difference: Partial<SvaConfiguration>): SmallWorld {
  return { name, configuration: { ...SMALL, ...difference } as SvaConfiguration };
}

/** What `stalemate verify sva` exhausts: worlds in which the kernel does something else each. */
export const SVA_SMALL: SmallScope = {
  worlds: [
    world('plain', {}),
    world('bound', { bound: true, running: true }),
    world('rollover', { bound: true, taken: 4 }),
    world('ignored', { bound: true, broadcast: 'ignored' }),
    world('absent', { bound: true, broadcast: 'absent' }),
    world('kpti', { bound: true, kpti: true }),
    world('cnp', { bound: true, cnp: true, taken: 4 }),
    world('weak', { running: true, weak: 1, taken: 4 }),
    world('ats', { bound: true, ats: true }),
    world('two-devices', { bound: true, masters: 2 }),
    world('narrow', { narrow: true }),
  ],
  alphabet: (configuration) => alphabet(svaConfiguration(configuration)).filter(isTelling),
};

/** A page that is mapped again has other memory than before: with the same nobody could tell an old entry. */
function isTelling(operation: SvaOperation): boolean {
  return !('frame' in operation) || operation.frame === 1;
}
