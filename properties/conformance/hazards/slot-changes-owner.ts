/** The slot of a tag is given to another ASID with the entries that it has. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import { TranslationTags, type TranslationTagsOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends TranslationTags {
  protected override recycle(): void {
    // The entries of the last owner are left.
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTags(options: TranslationTagsOptions): TranslationTags {
    return new Mistaken(options);
  }
}

/** Entries of one ASID serve another one. */
export const slotChangesOwner: DeviceHazard = {
  name: 'device-tag-reuse',
  mistake: 'a tag that is given to another ASID brings its entries along',
  source: 'IHI 0070 §3.17',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
