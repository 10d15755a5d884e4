/** A level hint other than 3 is compared with the wrong level. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import {
  Iotlb,
  type AddressRange,
  type CacheSize,
  type TranslationTags,
} from '../../../impl/devices/smmuv3/caches/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Iotlb {
  protected override levelFits(range: AddressRange): boolean {
    return range.level === 0 || range.level === 3;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Mistaken(tags, size);
  }
}

/** A hint that names a block drops nothing. */
export const levelHint: DeviceHazard = {
  name: 'device-level-hint',
  mistake: 'an invalidation whose hint names a level of blocks drops nothing',
  source: 'IHI 0070 §4.4.1.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
