/** A walk that an invalidation has overtaken fills the TLB. */
import { SmmuV3Device, Translation } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Translation {
  protected override isStale(): boolean {
    return false;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createTranslation(): Translation {
    return new Mistaken(this);
  }
}

/** The entry outlives the invalidation. */
export const lateFill: DeviceHazard = {
  name: 'device-late-fill',
  mistake: 'a walk in flight survives an invalidation and fills the TLB',
  source: 'IHI 0070 §3.21, §4.4',
  check: 'interleaved',
  make: (memory, options) => new MistakenDevice(memory, options),
};
