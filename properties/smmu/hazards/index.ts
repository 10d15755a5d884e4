import * as ats from './ats.ts';
import type { SmmuHazard } from './hazard.ts';
import * as order from './invalidation-order.ts';
import * as range from './stage2-range.ts';
import * as tables from './stage2-tables.ts';
import * as tags from './tags.ts';
import * as viommu from './viommu.ts';

export type { SmmuHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const SMMU_HAZARDS: readonly SmmuHazard[] = [
  order.smmuAtcBeforeTlbSync,
  order.smmuAtcFirst,
  order.s2UnmapNoS1Clear,
  order.s1ClearBeforeS2Sync,
  order.s1ClearFirst,
  order.smmuAtcOneDevice,
  order.smmuAtsSetReadOnce,
  range.s2IpaNoScale,
  range.s2IpaSize,
  range.s2IpaBlockTtl,
  range.s2IpaLeafOnly,
  tables.s2PgtableFreeBeforeFlush,
  tables.s2PgtableFreeBeforeSync,
  tables.s2BlockSplit,
  tables.s2BlockOverTable,
  viommu.viommuInvVmidRewrite,
  viommu.viommuInvSidRewrite,
  viommu.viommuInvWrongDevice,
  viommu.viommuInvNoSync,
  viommu.smmuVsidBeforeAttach,
  viommu.viommuVdeviceDestroyAttached,
  viommu.viommuSteConfig,
  viommu.viommuSteDoubleFetch,
  ats.smmuAtsPublishLate,
  ats.smmuAtcNotFlushedOnReplace,
  ats.smmuAtsEnableNoFlush,
  ats.smmuAtsFlushAfterEnable,
  ats.smmuAtsDisableLate,
  ats.smmuNestedAtcByIpa,
  ats.smmuAtcSpan,
  tags.vmidFreeBeforeFlush,
  tags.nestedDetachKeepsNh,
  tags.s1ClearPerAttachment,
  tags.smmuDetachInvsEarly,
  tags.smmuAttachInvsLate,
];
