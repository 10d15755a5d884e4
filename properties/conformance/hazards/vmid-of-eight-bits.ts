/** Tags compare 8 bits of a VMID of 16. */
import { TranslationTags, type TranslationTagsOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends TranslationTags {
  override stage1(world: number, vmid: number): number {
    return super.stage1(world, vmid & 0xff);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTags(options: TranslationTagsOptions): TranslationTags {
    return new Mistaken(options);
  }
}

/** Entries of VMID 1 serve VMID 257. */
export const vmidOfEightBits: DeviceHazard = {
  name: 'device-vmid-8-bit',
  mistake: 'the TLB compares 8 bits of VMIDs that have 16',
  source: 'IHI 0070 §3.17',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
