/** An invalidation by VA leaves global entries. */
import { Iotlb, type CacheSize, type TranslationTags } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Iotlb {
  protected override scopeGlobal(): void {
    // Only the entries of the ASID are looked at.
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Mistaken(tags, size);
  }
}

/** CMD_TLBI_NH_VA drops the entries of its ASID only. */
export const globalStays: DeviceHazard = {
  name: 'device-missed-global',
  mistake: 'CMD_TLBI_NH_VA leaves global entries of the page',
  source: 'IHI 0070 §4.4.2.4',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
