/** CMD_TLBI_S12_VMALL drops the entries of stage 2 alone. */
import { Invalidations } from '../../../impl/devices/smmuv3/commands/invalidations.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Invalidations {
  override vmAll(vmid: number): void {
    const { tags } = this.parts;
    tags.dropSpace(tags.stage2(vmid));
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createInvalidations(...parts: ConstructorParameters<typeof Invalidations>): Invalidations {
    return new Mistaken(...parts);
  }
}

/** Entries of stage 1 and of both stages stay. */
export const stageOneOutlivesVm: DeviceHazard = {
  name: 'device-s12-keeps-combined',
  mistake: 'CMD_TLBI_S12_VMALL keeps combined entries',
  source: 'IHI 0070 §4.4.3.2',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
