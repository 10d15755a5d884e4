/** An entry of both stages has the size of stage 1. */
import { SmmuV3Device, Translation } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Translation {
  protected override combinedShift(first: number): number {
    return first;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTranslation(): Translation {
    return new Mistaken(this);
  }
}

/** What stage 2 maps elsewhere behind it is not seen. */
export const combinedSize: DeviceHazard = {
  name: 'device-combined-size',
  mistake: 'a combined entry has the size of the leaf of stage 1',
  source: 'Arm ARM D8.17',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
