/** An invalidation by address leaves table descriptors in the walk cache. */
import { WalkCache, type CacheSize, type TranslationTags } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends WalkCache {
  protected override tablesMeant(): boolean {
    return false;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createWalkCache(tags: TranslationTags, size: CacheSize): WalkCache {
    return new Mistaken(tags, size);
  }
}

/** All commands act as if Leaf were 1. */
export const tableStays: DeviceHazard = {
  name: 'device-stale-walk-cache',
  mistake: 'CMD_TLBI_* with Leaf = 0 leaves the walk cache',
  source: 'IHI 0070 §4.4.1; Arm ARM D8.17',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
