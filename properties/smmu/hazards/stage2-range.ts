import type { Command, TlbRange } from '../../../impl/kernel/index.ts';
import { Stage12Tlb, vmidTag } from '../../../impl/kernel/nested/index.ts';
import { STALE } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Tags from here on are VMIDs. */
const FIRST_VMID_TAG = vmidTag(0);

/** The fields of a range command. */
type RangeFields = Parameters<Stage12Tlb['arm_smmu_tlb_inv_range']>[1];

/** Leaves SCALE out of CMD_TLBI_S2_IPA. */
class NoScale extends Stage12Tlb {
  protected override vaCommand(
    tag: number,
    iova: number,
    range: TlbRange,
    pages: number,
    fields: { Num?: number; Scale?: number; TG?: number; TTL?: number },
  ): Command {
    const spoiled = tag < FIRST_VMID_TAG || fields.Scale === undefined ? fields : { ...fields, Scale: 0 };
    return super.vaCommand(tag, iova, range, pages, spoiled);
  }
}

/** Gives CMD_TLBI_S2_IPA another range than was asked for. */
abstract class OtherRange extends Stage12Tlb {
  override arm_smmu_tlb_inv_range(tag: number, range: RangeFields): Command[] {
    return super.arm_smmu_tlb_inv_range(tag, tag < FIRST_VMID_TAG ? range : this.spoil(range));
  }

  protected abstract spoil(range: RangeFields): RangeFields;
}

/** Takes the end of a range for inclusive when it is not. */
class InclusiveEnd extends OtherRange {
  protected override spoil(range: RangeFields): RangeFields {
    return { ...range, size: range.size - 1 };
  }
}

/** Gives the level of the smallest page whatever was unmapped. */
class PageLevel extends OtherRange {
  protected override spoil(range: RangeFields): RangeFields {
    return range.leaf ? { ...range, granule: 4096 } : range;
  }
}

/** Says that only leaves changed. */
class AlwaysLeaf extends OtherRange {
  protected override spoil(range: RangeFields): RangeFields {
    return { ...range, leaf: true };
  }
}

const FUNCTION = 'arm_smmu_cmdq_batch_add_range(), Linux 6.12 to 7.x; IHI 0070 §4.4.1.1';
const ENDLESS = { monitor: 'safety', rule: 'soft-lockup' } as const;
const REFUSED = { monitor: 'smmu', rule: 'command-error' } as const;

/** SCALE missing. */
export const s2IpaNoScale: SmmuHazard = {
  id: 's2-ipa-no-scale',
  title: 'SCALE of a range invalidation of stage 2 is not encoded',
  citation: FUNCTION,
  story:
    'The driver goes on by (NUM+1) * 2^SCALE pages for each command, but CMD_TLBI_S2_IPA says SCALE 0: only the first pages of a range are invalidated.',
  expected: [...STALE, REFUSED],
  parts: { tlb: NoScale },
};

/** Size one short. */
export const s2IpaSize: SmmuHazard = {
  id: 's2-ipa-size',
  title: 'the size of a range of stage 2 is one byte short',
  citation: `${FUNCTION}; "iommu/arm-smmu-v3: Fix size calculation in arm_smmu_mm_invalidate_range()", 2022`,
  story:
    'The last address of a range is taken for the first one behind it. One page becomes none, and the loop over power-of-two chunks never ends.',
  expected: [ENDLESS, ...STALE],
  parts: { tlb: InclusiveEnd },
};

/** The wrong level. */
export const s2IpaBlockTtl: SmmuHazard = {
  id: 's2-ipa-block-ttl',
  title: 'a block of stage 2 is invalidated with the level hint of a page',
  citation: `${FUNCTION}: TTL from the granule of the gather`,
  story: 'A block at level 2 is unmapped, but the command says level 3: the block’s entry may stay.',
  expected: STALE,
  parts: { tlb: PageLevel },
};

/** Leaf where a table went. */
export const s2IpaLeafOnly: SmmuHazard = {
  id: 's2-ipa-leaf-only',
  title: 'a table of stage 2 is freed after an invalidation with the Leaf hint',
  citation: 'arm_smmu_tlb_inv_walk(), Linux 6.12, passes leaf = false; IHI 0070 §4.4.3 (Leaf)',
  story:
    'An unlinked table of stage 2 is invalidated as if only last-level entries had changed: walk caches may keep the pointer to the freed page.',
  expected: STALE,
  parts: { tlb: AlwaysLeaf },
};
