import { ArmSmmuTlb, type RangeCommand, type TlbRange } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Takes the end of a range for inclusive when it is not. */
class InclusiveEndTlb extends ArmSmmuTlb {
  protected override rangePages(range: TlbRange): number {
    return super.rangePages({ ...range, size: range.size - 1 });
  }
}

/** Leaves SCALE out of the command. */
class NoScaleTlb extends ArmSmmuTlb {
  protected override rangeCommand(pages: number): RangeCommand {
    return { ...super.rangeCommand(pages), scale: 0 };
  }
}

/** Gives the level of the entry that was cleared, although what hangs below it is of another level. */
class NonLeafTtlTlb extends ArmSmmuTlb {
  protected override ttl(range: TlbRange): number {
    return super.ttl({ ...range, granule: range.leaf ? range.granule : range.size, leaf: true });
  }
}

/** Gives the level of the smallest page whatever was unmapped. */
class PageTtlTlb extends ArmSmmuTlb {
  protected override ttl(range: TlbRange): number {
    return range.leaf ? 3 : 0;
  }
}

const STALE = [
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'tables', rule: 'table-free-in-use' },
  { monitor: 'translation', rule: 'tlb-conflict' },
  { monitor: 'translation', rule: 'unpredictable' },
] as const;
const FUNCTION = '__arm_smmu_tlb_inv_range(), Linux 5.7 to 6.x';

/** Size one short. */
export const smmuRangeTlbiSize: AsidHazard = {
  id: 'smmu-range-tlbi-size',
  title: 'the size of a range is one byte short',
  citation: `${FUNCTION}; "iommu/arm-smmu-v3: Fix size calculation in arm_smmu_mm_invalidate_range()", 2022`,
  story:
    'The last address of a range is taken for the first one behind it. One page becomes none, and the loop over power-of-two chunks never ends; of several pages the last is not invalidated by the first command.',
  expected: [{ monitor: 'safety', rule: 'soft-lockup' }, ...STALE],
  parts: { tlb: InclusiveEndTlb },
};

/** SCALE missing. */
export const smmuRangeTlbiEncoding: AsidHazard = {
  id: 'smmu-range-tlbi-encoding',
  title: 'SCALE of a range invalidation is not encoded',
  citation: `${FUNCTION}; IHI 0070 §4.4.1.1: (NUM+1) * 2^SCALE granules`,
  story:
    'The driver goes on by (NUM+1) * 2^SCALE pages for each command, but the command says SCALE 0: only the first pages of a range are invalidated.',
  // Without SCALE, NUM and TTL the command is reserved, and the SMMU stops at it.
  expected: [...STALE, { monitor: 'smmu', rule: 'command-error' }],
  parts: { tlb: NoScaleTlb },
};

/** A level hint that does not hold. */
export const smmuRangeTlbiNonLeafTtl: AsidHazard = {
  id: 'smmu-range-tlbi-nonleaf-ttl',
  title: 'a non-leaf invalidation has a level hint',
  citation: `${FUNCTION}: "For non-leaf … leave TTL=0"; IHI 0070 §4.4.1.1`,
  story:
    'A table at level 2 was unlinked, and the command says that level 2 is concerned: the pages at level 3 that the table mapped may stay.',
  expected: STALE,
  parts: { tlb: NonLeafTtlTlb },
};

/** The wrong level. */
export const smmuRangeTlbiBlockTtl: AsidHazard = {
  id: 'smmu-range-tlbi-block-ttl',
  title: 'a block is invalidated with the level hint of a page',
  citation: `${FUNCTION}: TTL from the granule of the gather; IHI 0070 §4.4.1.1`,
  story: 'A block at level 2 is unmapped, but the command says level 3: the block’s entry may stay.',
  expected: STALE,
  parts: { tlb: PageTtlTlb },
};
