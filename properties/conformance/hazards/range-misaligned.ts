/** A range that is not aligned to its size is rounded: one mask instead of aligned pieces. */
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { AddressRange } from '../../../impl/devices/smmuv3/caches/index.ts';
import { CommandProcessor } from '../../../impl/devices/smmuv3/commands/command.ts';
import type { Lanes } from '../../../model/architecture/arm/layout/layout.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends CommandProcessor {
  protected override rangeOf(lanes: Lanes): AddressRange | undefined {
    const range = super.rangeOf(lanes);
    if (range === undefined || range.pages === 1) return range;
    const pages = 2 ** Math.ceil(Math.log2(range.pages));
    return { ...range, firstPage: Math.floor(range.firstPage / pages) * pages, pages };
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createProcessor(...parts: ConstructorParameters<typeof CommandProcessor>): CommandProcessor {
    return new Mistaken(...parts);
  }
}

/** QEMU did this: the pages beyond the next aligned address stay. */
export const rangeMisaligned: DeviceHazard = {
  name: 'qemu-smmu-range-misaligned',
  mistake: 'a range that is not aligned to its size is rounded down, and its last pages stay',
  source: 'IHI 0070 §4.4.1.1; QEMU hw/arm/smmuv3.c',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
