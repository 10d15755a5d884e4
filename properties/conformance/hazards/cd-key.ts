/** CDs are cached by StreamID alone. */
import { ConfigCache, type ConfigCacheOptions } from '../../../impl/devices/smmuv3/caches/index.ts';
import { SmmuV3Device } from '../../../impl/devices/smmuv3/index.ts';
import type { DeviceHazard } from './hazard.ts';

class Mistaken extends ConfigCache {
  protected override cdIndex(): number {
    return 0;
  }
}

class MistakenDevice extends SmmuV3Device {
  protected override createConfigCache(options: ConfigCacheOptions): ConfigCache {
    return new Mistaken(options);
  }
}

/** All substreams of a stream share one cached CD. */
export const cdKey: DeviceHazard = {
  name: 'device-config-key',
  mistake: 'the configuration cache knows CDs by StreamID alone',
  source: 'IHI 0070 §4.3.3',
  check: 'wide',
  make: (memory, options) => new MistakenDevice(memory, options),
};
