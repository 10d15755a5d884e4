import type { Operation, SmallScope, SmallWorld } from '../family.ts';
import { FRAMES, PLAIN, asidConfiguration, type AsidConfiguration } from './configuration.ts';
import { alphabet } from './programs.ts';

function world(name: string, difference: Partial<AsidConfiguration>): SmallWorld {
  return { name, configuration: { ...PLAIN, ...difference } as AsidConfiguration };
}

/** The plain world, and those that differ from it in one respect in which the driver does something else. */
const WORLDS: readonly SmallWorld[] = [
  world('plain', {}),
  world('no-master', { masters: 0 }),
  world('two-masters', { masters: 2 }),
  world('bound', { bound: true }),
  world('two-masters-bound', { masters: 2, bound: true }),
  world('two-processes', { processes: 2 }),
  world('block', { mapped: 0, block: true }),
  world('bypass', { bypass: true }),
  world('no-ril', { ril: false }),
  world('lazy', { lazy: true }),
  world('weak', { weak: 1 }),
  world('weak-no-master', { masters: 0, weak: 1 }),
  world('weak-lazy', { lazy: true, weak: 1 }),
  world('weaker', { weak: 2 }),
  world('faults', { faults: true }),
  world('lazy-faults', { lazy: true, faults: true }),
];

/** What `stalemate verify asid` exhausts. */
export const ASID_SMALL: SmallScope = {
  worlds: WORLDS,
  alphabet: (configuration) => alphabet(asidConfiguration(configuration)),
  alike: (configuration, operation) => alike(asidConfiguration(configuration), operation),
};

/**
 * Frames that nothing maps at the start are alike: the software never looks at what an address maps to. Pages, devices and
 * domains are not: at the start each is in another state, or the software tells them apart by order.
 */
function alike(configuration: AsidConfiguration, operation: Operation): { kind: string; index: number } | undefined {
  const { frame } = operation;
  if (typeof frame !== 'number') return undefined;
  const block = operation.op === 'mapBlock';
  const taken = block ? takenBlocks(configuration) : takenFrames(configuration);
  const free = Array.from({ length: FRAMES }, (_, index) => index).filter((index) => !taken.has(index));
  const index = free.indexOf(frame);
  return index < 0 ? undefined : { kind: block ? 'block' : 'frame', index };
}

/** Frames that are mapped before a program starts: see `AsidWorld`. */
function takenFrames({ mapped, lazy }: AsidConfiguration): ReadonlySet<number> {
  const ofDomain = Array.from({ length: mapped }, (_, page) => page);
  const ofProcess = 2;
  const ofBuffer = 3;
  return new Set([...ofDomain, ofProcess, ...(lazy ? [ofBuffer] : [])]);
}

function takenBlocks({ block }: AsidConfiguration): ReadonlySet<number> {
  return new Set(block ? [0] : []);
}
