/** A lookup compares one address bit too few. */
import { Iotlb, type CacheSize, type TranslationTags } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Iotlb {
  protected override keyMaskLow(shift: number): number {
    return super.keyMaskLow(shift) & super.keyMaskLow(shift + 1);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Mistaken(tags, size);
  }
}

/** Two neighbours are taken for one entry. */
export const blockMask: DeviceHazard = {
  name: 'device-block-mask',
  mistake: 'the TLB compares one address bit too few',
  source: 'IHI 0070 §3.21.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
