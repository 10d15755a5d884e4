/** CMD_TLBI_S2_IPA leaves table descriptors of stage 2. */
import { Invalidations } from '../../../impl/devices/smmuv3/commands/invalidations.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { AddressRange } from '../../../impl/devices/smmuv3/caches/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends Invalidations {
  override ipa(vmid: number, range: AddressRange): void {
    this.parts.iotlb.dropIpa(vmid, range);
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createInvalidations(...parts: ConstructorParameters<typeof Invalidations>): Invalidations {
    return new Mistaken(...parts);
  }
}

/** A walk of stage 2 goes on from a table that is unlinked. */
export const ipaTablesStay: DeviceHazard = {
  name: 'device-ipa-keeps-tables',
  mistake: 'CMD_TLBI_S2_IPA leaves the walk cache of stage 2',
  source: 'IHI 0070 §4.4.3.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
