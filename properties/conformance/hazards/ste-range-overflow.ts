/** The number of StreamIDs of CMD_CFGI_STE_RANGE overflows 32 bits. */
import { Invalidations } from '../../../impl/devices/smmuv3/commands/invalidations.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Invalidations {
  override steRange(streamId: number, range: number): void {
    if (range < 31) super.steRange(streamId, range);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createInvalidations(...parts: ConstructorParameters<typeof Invalidations>): Invalidations {
    return new Mistaken(...parts);
  }
}

/** CMD_CFGI_ALL, a range of 2^32, covers nothing. */
export const steRangeOverflow: DeviceHazard = {
  name: 'qemu-ste-range-overflow',
  mistake: 'CMD_CFGI_ALL is a range of 2^32 StreamIDs, which is 0 in 32 bits',
  source: 'IHI 0070 §4.3.2; QEMU hw/arm/smmuv3.c',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
