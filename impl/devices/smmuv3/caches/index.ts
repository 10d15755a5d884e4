export { Atc, atcFill, type AtcFill } from './atc.ts';
export { ConfigCache, type ConfigCacheOptions } from './config-cache.ts';
export type { ConfigSets } from './config-sets.ts';
export { Iotlb, iotlbFill, STAGES, type IotlbFill } from './iotlb.ts';
export type { AddressRange } from './entry.ts';
export type { CacheSize } from './tagged-sets.ts';
export { TranslationTags, WORLD, type TranslationTagsOptions } from './translation-tags.ts';
export { TABLE, WalkCache, walkFill, type WalkFill } from './walk-cache.ts';
