/** An entry is used whichever stages it was made of. */
import { SmmuV3Device, Translation } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Translation {
  protected override isUsable(): boolean {
    return true;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTranslation(): Translation {
    return new Mistaken(this);
  }
}

/** What was cached with stage 1 alone serves a stream that has stage 2, too. */
export const stagesMixed: DeviceHazard = {
  name: 'device-stages-mixed',
  mistake: 'entries of stage 1 alone serve nested translations of the same VMID and ASID, and the other way round',
  source: 'IHI 0070 §5.2.1',
  check: 'wide',
  make: (memory, options) => new MistakenDevice(memory, options),
};
