/** CMD_ATC_INV is consumed, and the endpoint does not hear of it. */
import { Invalidations } from '../../../impl/devices/smmuv3/commands/invalidations.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Invalidations {
  override atc(): void {
    // Nobody is told.
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createInvalidations(...parts: ConstructorParameters<typeof Invalidations>): Invalidations {
    return new Mistaken(...parts);
  }
}

/** The ATC keeps what it was granted. */
export const atcNotTold: DeviceHazard = {
  name: 'device-atc-not-told',
  mistake: 'CMD_ATC_INV does not reach the endpoint',
  source: 'IHI 0070 §4.5.1',
  check: 'wide',
  make: (memory, options) => new MistakenDevice(memory, options),
};
