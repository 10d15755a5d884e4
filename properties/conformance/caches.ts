/** Sizes of the caches of our device: small enough for programs to fill them, and different, for each finds other mistakes. */
import type { DeviceCaches } from '../../impl/devices/smmuv3/index.ts';

/** Caches that are small enough to run over within a program. */
export const smallCaches: DeviceCaches = {
  iotlb: { sets: 8, ways: 2 },
  walk: { sets: 8, ways: 2 },
  config: {
    ste: { sets: 2, ways: 2 },
    cd: { sets: 2, ways: 2 },
    l1std: { sets: 1, ways: 2 },
    l1cd: { sets: 1, ways: 2 },
    tags: { contexts: 4 },
  },
  tags: { contexts: 8 },
  decoded: 4,
};

const config = (contexts: number, generationBits: number, sets = 1): DeviceCaches['config'] => ({
  ste: { sets, ways: 2 },
  cd: { sets, ways: 2 },
  l1std: { sets: 1, ways: 2 },
  l1cd: { sets: 1, ways: 2 },
  tags: { contexts, generationBits },
});

/**
 * What a program chooses from (`ConformanceConfiguration.caches`): few tags are given to other address spaces, few
 * generations are soon used up, few entries are replaced, and what is replaced by no other is seen when it is stale.
 */
export const cacheSwarm: readonly DeviceCaches[] = [
  smallCaches,
  {
    iotlb: { sets: 1, ways: 2 },
    walk: { sets: 1, ways: 2 },
    config: config(2, 1),
    tags: { contexts: 2, generationBits: 2 },
    decoded: 2,
  },
  {
    iotlb: { sets: 16, ways: 4 },
    walk: { sets: 8, ways: 2 },
    config: config(2, 2, 2),
    tags: { contexts: 2, generationBits: 3 },
    decoded: 2,
  },
  {
    iotlb: { sets: 16, ways: 2 },
    walk: { sets: 2, ways: 2 },
    config: config(4, 1, 2),
    tags: { contexts: 16, generationBits: 1 },
    decoded: 8,
  },
  {
    iotlb: { sets: 64, ways: 4 },
    walk: { sets: 16, ways: 4 },
    config: config(8, 3, 4),
    tags: { contexts: 16, generationBits: 2 },
    decoded: 16,
  },
];

/** The caches of a program that has chosen. */
export const cachesOf = (choice: number | undefined): DeviceCaches => cacheSwarm[choice ?? 0] ?? smallCaches;
