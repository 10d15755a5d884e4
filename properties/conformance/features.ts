/**
 * Swarm testing (Groce et al., 2012): each program switches each feature on or off, so that common features do not
 * drown what only shows without them, and a deviation met early under one feature does not hide the others.
 */
import type { SmmuFeatures } from '../../model/architecture/arm/features.ts';
import { percent } from './choices.ts';
import type { Choices } from './choices.ts';

/** Features that a program may use. */
export const featureNames = [
  'access-flag',
  'address-size',
  'ap-table',
  'asids',
  'blocks',
  'bypass',
  'contiguous',
  'disable-hierarchy',
  'edu',
  'enable-toggle',
  'external-abort',
  'flush-all',
  'global-abort',
  'globals',
  'granules',
  'high-half',
  'illegal-commands',
  'illegal-structures',
  'leaf-hint',
  'level-hint',
  'no-sync',
  'out-of-range-input',
  'overflow',
  'permissions',
  'privileged',
  'ranges',
  'reserved-blocks',
  'reserved-values',
  'short-stream-table',
  'silent-bad-streams',
  'stream-format',
  'structures',
  'tags',
  'two-level-streams',
  'upper-levels',
  'vmids',
] as const;

/** Name of a feature. */
export type Feature = (typeof featureNames)[number];

/** Features that a program has on. */
export type Features = ReadonlySet<Feature>;

/** Chooses the features of a program: a third of the programs use few, a third half, a third most of them. */
export const chooseFeatures = (choices: Choices, device: SmmuFeatures): Features => {
  const probability = [12, 35, 65][choices.below(3)] as number;
  const chosen = new Set<Feature>(featureNames.filter(() => percent(choices, probability)));
  // Reserved values may end the device, and each end costs the time of hundreds of programs.
  if (percent(choices, 85)) chosen.delete('reserved-values');
  for (const feature of unsupported(device)) chosen.delete(feature);
  return chosen;
};

/** Features that a device does not offer. */
const unsupported = (device: SmmuFeatures): Feature[] => [
  ...(device.stage2 ? [] : (['vmids'] as const)),
  ...(device.granules.length === 3 ? [] : (['granules'] as const)),
  ...(device.ril ? [] : (['ranges', 'level-hint'] as const)),
  ...(device.had ? [] : (['disable-hierarchy'] as const)),
  ...(device.stLevel ? [] : (['two-level-streams', 'stream-format'] as const)),
];
