/** A level hint is taken for the level of the table descriptors, too. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import {
  WalkCache,
  type AddressRange,
  type CacheSize,
  type TranslationTags,
} from '../../../impl/devices/smmuv3/caches/index.ts';
import { ENTRY_WORDS } from '../../../impl/devices/smmuv3/caches/entry.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends WalkCache {
  protected override levelFits(range: AddressRange, at: number): boolean {
    return range.level === 0 || this.level(at / ENTRY_WORDS) === range.level;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createWalkCache(tags: TranslationTags, size: CacheSize): WalkCache {
    return new Mistaken(tags, size);
  }
}

/** The tables on the way to the leaf that the hint names stay. */
export const levelHintOfTables: DeviceHazard = {
  name: 'device-level-hint-tables',
  mistake: 'an invalidation with a level hint and Leaf = 0 leaves the tables above that level',
  source: 'IHI 0070 §4.4.1.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
