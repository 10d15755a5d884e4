import * as asidFree from './asid-free-before-flush.ts';
import * as bbm from './bbm-block-split.ts';
import * as errorPaths from './error-paths.ts';
import * as fq from './fq-iova-reuse.ts';
import type { AsidHazard } from './hazard.ts';
import * as pgtable from './pgtable-free-before-sync.ts';
import * as tableStores from './pgtable-store-buffer.ts';
import { shareAsidCdFirst } from './share-asid-cd-first.ts';
import { shareAsidDomainFree } from './share-asid-domain-free.ts';
import { shareAsidRefcountUaf } from './share-asid-refcount-uaf.ts';
import { shareAsidStoreBuffer } from './share-asid-store-buffer.ts';
import { shareAsidToctouInsert } from './share-asid-toctou-insert.ts';
import { shareAsidTwoMasters } from './share-asid-two-masters.ts';
import { shareAsidUnmapWindow } from './share-asid-unmap-window.ts';
import { smmuAttachInvsStoreBuffer } from './smmu-attach-invs-store-buffer.ts';
import { smmuAttachPublishLate } from './smmu-attach-publish-late.ts';
import * as range from './smmu-range-tlbi-encoding.ts';
import * as torn from './smmu-ste-torn.ts';
import { svaMmUseAfterFree } from './sva-mm-use-after-free.ts';

export type { AsidHazard } from './hazard.ts';

/** The hazards of the family, by subject. */
export const ASID_HAZARDS: readonly AsidHazard[] = [
  shareAsidUnmapWindow,
  shareAsidCdFirst,
  shareAsidTwoMasters,
  shareAsidRefcountUaf,
  shareAsidToctouInsert,
  shareAsidDomainFree,
  asidFree.asidFreeBeforeFlush,
  asidFree.asidFlushBeforeDetach,
  asidFree.asidFreeBeforeSync,
  asidFree.sharedAsidFreeBeforeFlush,
  pgtable.pgtableFreeBeforeFlush,
  pgtable.pgtableFreeBeforeSync,
  pgtable.pgtableFreeLeafOnly,
  pgtable.pgtableBlockOverTable,
  bbm.bbmBlockSplit,
  bbm.bbmSplitNoFlush,
  torn.smmuSteTorn,
  torn.smmuSteNoSync,
  torn.smmuCdNoBreak,
  torn.smmuSteUsedBits,
  smmuAttachPublishLate,
  range.smmuRangeTlbiEncoding,
  range.smmuRangeTlbiSize,
  range.smmuRangeTlbiNonLeafTtl,
  range.smmuRangeTlbiBlockTtl,
  fq.fqIovaReuse,
  fq.fqFinishStamp,
  fq.fqCounterCompare,
  fq.fqFinishEarly,
  smmuAttachInvsStoreBuffer,
  shareAsidStoreBuffer,
  tableStores.pgtableInstallNoWmb,
  tableStores.pgtableMapNoWmb,
  fq.fqQueueNoBarrier,
  svaMmUseAfterFree,
  errorPaths.svaBindErrorKeepsPin,
  errorPaths.domainFinaliseKeepsTable,
];
