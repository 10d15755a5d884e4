/** A fill does not look whether its key is there already. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import { Iotlb, type CacheSize, type TranslationTags } from '../../../impl/devices/smmuv3/caches/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Iotlb {
  protected override present(): number {
    return -1;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Mistaken(tags, size);
  }
}

/** Two entries have one key, and an invalidation drops the first. */
export const duplicate: DeviceHazard = {
  name: 'device-duplicate',
  mistake: 'a second walk leaves a duplicate in the TLB, which outlives an invalidation by address',
  source: 'IHI 0070 §3.17, §4.4.2.4',
  check: 'wide',
  make: (memory, options) => new MistakenDevice(memory, options),
};
