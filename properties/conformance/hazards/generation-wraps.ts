/** The generations of a tag begin anew while entries of the first one are left. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import { TranslationTags, type TranslationTagsOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends TranslationTags {
  protected override generationWraps(context: number): void {
    this.ids[context] = this.contexts + context;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTags(options: TranslationTagsOptions): TranslationTags {
    return new Mistaken(options);
  }
}

/** What was invalidated long ago comes back. */
export const generationWraps: DeviceHazard = {
  name: 'device-generation-wrap',
  mistake: 'when the generations of a tag are used up, old entries are taken for new ones',
  source: 'IHI 0070 §4.4.2.2',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
