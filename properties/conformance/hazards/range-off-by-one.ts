/** A range ends before its last page. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { AddressRange } from '../../../impl/devices/smmuv3/caches/index.ts';
import { CommandProcessor } from '../../../impl/devices/smmuv3/commands/command.ts';
import type { Lanes } from '../../../model/architecture/arm/layout/layout.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends CommandProcessor {
  protected override rangeOf(lanes: Lanes): AddressRange | undefined {
    const range = super.rangeOf(lanes);
    const page = range === undefined || range.granule === 0 ? 1 : 2 ** (range.granule - 12);
    return range === undefined || range.pages === page ? range : { ...range, pages: range.pages - page };
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createProcessor(...parts: ConstructorParameters<typeof CommandProcessor>): CommandProcessor {
    return new Mistaken(...parts);
  }
}

/** NUM is taken for the number of pages, not for one less. */
export const rangeOffByOne: DeviceHazard = {
  name: 'device-range-off-by-one',
  mistake: 'a range ends one page early',
  source: 'IHI 0070 §4.4.1.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
