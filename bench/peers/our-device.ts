import { SmmuV3Device, type DeviceOptions, type DeviceRequest } from '../../impl/devices/smmuv3/index.ts';
import { FULL_FEATURES } from '../../model/architecture/arm/layout/features.ts';
import type { BenchDevice, FlatMemory } from '../workloads/smmu-world.ts';

/** Our SMMUv3 with one request that is filled in for each access. */
export class OurDevice implements BenchDevice {
  readonly name = 'stalemate';
  readonly device: SmmuV3Device;
  readonly #request: DeviceRequest = {
    streamId: 0,
    substream: -1,
    low: 0,
    high: 0,
    write: false,
    privileged: false,
    instruction: false,
    kind: 'untranslated',
  };

  constructor(memory: FlatMemory, caches: NonNullable<DeviceOptions['caches']> = {}) {
    this.device = new SmmuV3Device(memory, { features: FULL_FEATURES, caches });
  }

  writeRegister(offset: number, low: number, high?: number): void {
    this.device.writeRegister(offset, low, high);
  }

  translate(streamId: number, low: number, high: number): number {
    const request = this.#request;
    request.streamId = streamId;
    request.low = low;
    request.high = high;
    const answer = this.device.translate(request);
    return answer.kind === 'memory' ? answer.pa : -1;
  }
}
