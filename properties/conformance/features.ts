/**
 * Swarm testing (Groce et al., 2012): each program switches each feature on or off, so that common features do not
 * drown what only shows without them, and a deviation met early under one feature does not hide the others.
 */
import type { SmmuFeatures } from '../../model/architecture/arm/layout/features.ts';
import { percent } from './choices.ts';
import type { Choices } from './choices.ts';

/** Features that a program may use. */
export const featureNames = [
  'access-flag',
  'address-size',
  'ap-table',
  'asids',
  'blocks',
  'bridges',
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
  'guest-structures',
  'guests',
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
  's2-access-flag',
  's2-address-size',
  's2-blocks',
  's2-contiguous',
  's2-device-memory',
  's2-granules',
  's2-level-hint',
  's2-permissions',
  's2-ranges',
  's2-upper-levels',
  'short-stream-table',
  'silent-bad-streams',
  'stage1-beside',
  'stage2-only',
  'stream-format',
  'structures',
  'sub-pages',
  'tags',
  'twins',
  'two-guests',
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
  if (percent(choices, 45)) chosen.add('guests');
  if (!chosen.has('guests')) for (const feature of ofGuests) chosen.delete(feature);
  for (const feature of unsupported(device)) chosen.delete(feature);
  return chosen;
};

/** Features that mean nothing without stage 2. */
const ofGuests: readonly Feature[] = [
  'guest-structures',
  's2-access-flag',
  's2-address-size',
  's2-blocks',
  's2-contiguous',
  's2-device-memory',
  's2-granules',
  's2-level-hint',
  's2-permissions',
  's2-ranges',
  's2-upper-levels',
  'stage1-beside',
  'stage2-only',
  'twins',
  'two-guests',
];

/** Features that a device does not offer. */
const unsupported = (device: SmmuFeatures): Feature[] => [
  ...(device.stage2 ? [] : (['vmids', 'guests', ...ofGuests] as const)),
  ...(device.granules.length === 3 ? [] : (['granules', 's2-granules'] as const)),
  ...(device.ril ? [] : (['ranges', 'level-hint', 's2-ranges', 's2-level-hint'] as const)),
  ...(device.had ? [] : (['disable-hierarchy'] as const)),
  ...(device.stLevel ? [] : (['two-level-streams', 'stream-format'] as const)),
];
