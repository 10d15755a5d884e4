import type { SmallScope, SmallWorld } from '../family.ts';
import { PLAIN, type BtmConfiguration } from './configuration.ts';
import { OPTIONS } from './operations.ts';

function world(name: string, difference: Partial<BtmConfiguration>): SmallWorld {
  return { name, configuration: { ...PLAIN, ...difference } as BtmConfiguration };
}

/** The plain world, and those that differ from it in one respect in which the software does something else. */
const WORLDS: readonly SmallWorld[] = [
  world('plain', {}),
  world('off', { design: 'off' }),
  world('private', { design: 'private' }),
  world('disjoint', { design: 'disjoint' }),
  world('used-up', { taken: 3 }),
  world('both-machines', { vmids: 5, other: true }),
  world('same-numbers', { design: 'private', other: true, device0: 'other' }),
  world('no-stage-1', { stage1: false, device0: 'guest' }),
  world('vmids-of-8-bits', { vmid16: false, vmids: 5 }),
  world('beside-private', { device1: 'private' }),
];

/** What `stalemate verify btm` exhausts. */
export const BTM_SMALL: SmallScope = {
  worlds: WORLDS,
  alphabet: () => OPTIONS,
};
