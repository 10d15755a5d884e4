/** Tags compare 8 bits of an ASID of 16. */
import { TranslationTags, type TranslationTagsOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends TranslationTags {
  override codeOf(asid: number, aset: number): number {
    return super.codeOf(asid & 0xff, aset);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTags(options: TranslationTagsOptions): TranslationTags {
    return new Mistaken(options);
  }
}

/** Entries of ASID 1 serve ASID 257. */
export const asidOfEightBits: DeviceHazard = {
  name: 'device-asid-8-bit',
  mistake: 'the TLB compares 8 bits of ASIDs that have 16',
  source: 'IHI 0070 §3.17',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
