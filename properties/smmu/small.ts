import type { SmallScope, SmallWorld } from '../family.ts';
import { PLAIN, smmuConfiguration, type SmmuConfiguration } from './configuration.ts';
import { alphabet } from './programs.ts';

function world(name: string, difference: Partial<SmmuConfiguration>): SmallWorld {
  return { name, configuration: { ...PLAIN, ...difference } as SmmuConfiguration };
}

/** The plain world, and those that differ from it in one respect in which the software does something else. */
const WORLDS: readonly SmallWorld[] = [
  world('plain', {}),
  world('no-master', { masters: 0 }),
  world('two-masters', { masters: 2 }),
  world('stage-2', { start: 'stage 2' }),
  world('stage-1', { start: 'stage 1' }),
  world('block', { mapped: 1, block: true }),
  world('ats', { ats: true }),
  world('two-masters-ats', { masters: 2, ats: true }),
  world('stage-1-ats', { start: 'stage 1', ats: true }),
  world('no-ril', { ril: false }),
];

/** What `stalemate verify smmu` exhausts. */
export const SMMU_SMALL: SmallScope = {
  worlds: WORLDS,
  alphabet: (configuration) => alphabet(smmuConfiguration(configuration)),
};
