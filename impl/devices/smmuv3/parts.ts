import type { ConfigCache, Iotlb, TranslationTags, WalkCache } from './caches/index.ts';
import type { SmmuFeatures } from '../../../model/architecture/arm/layout/features.ts';
import type { Registers } from './registers.ts';
import type { DeviceMemory } from './request.ts';

/** What translations work with. */
export interface DeviceParts {
  readonly features: SmmuFeatures;
  readonly memory: DeviceMemory;
  readonly registers: Registers;
  readonly tags: TranslationTags;
  readonly iotlb: Iotlb;
  readonly walkCache: WalkCache;
  readonly configCache: ConfigCache;
}

/** What a step did, and the address or level that it did it with (-1 for none): see `Translation.label`. */
export interface StepNote {
  action: string;
  address: number;
}
