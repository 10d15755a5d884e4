/** CMD_CFGI_STE leaves the CDs that were reached through the STE. */
import { ConfigCache, type ConfigCacheOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends ConfigCache {
  protected override dropCdsOf(): void {
    // The CDs are left to CMD_CFGI_CD.
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createConfigCache(options: ConfigCacheOptions): ConfigCache {
    return new Mistaken(options);
  }
}

/** CDs stay when their STE goes. */
export const cdOutlivesSte: DeviceHazard = {
  name: 'device-cd-outlives-ste',
  mistake: 'CMD_CFGI_STE leaves cached CDs',
  source: 'IHI 0070 §4.3.1',
  check: 'programs',
  make: (memory, options) => new MistakenDevice(memory, options),
};
