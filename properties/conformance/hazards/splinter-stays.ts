/** A piece of a block of stage 1 that stage 2 cut stays when another address of the block is invalidated. */
import { Iotlb, type CacheSize, type TranslationTags } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Iotlb {
  protected override sourceShift(at: number): number {
    return this.shiftAt(at);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createIotlb(tags: TranslationTags, size: CacheSize): Iotlb {
    return new Mistaken(tags, size);
  }
}

/** QEMU does this. */
export const splinterStays: DeviceHazard = {
  name: 'device-splinter-stays',
  mistake: 'CMD_TLBI_NH_VA drops one piece of a block that stage 2 has cut',
  source: 'Arm ARM D8.17; QEMU 10.0 hw/arm/smmu-common.c',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
