import type { Task } from '../../../engine/step.ts';
import { ArmLpaeIoPgtable, BLOCK_LEVEL, type Space } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Writes the table over the block and invalidates afterwards. */
class NoBreakPgtable extends ArmLpaeIoPgtable {
  override *split_block(space: Space, iova: number): Task<boolean> {
    const size = this.blockBytes;
    const table = yield* this.walk(space, iova, BLOCK_LEVEL);
    if (table < 0) return false;
    const block = yield* this.readEntry(space, table, iova, BLOCK_LEVEL);
    const pages = yield* this.allocSplitTable(block);
    if (pages === 0) return false;
    yield* this.arm_lpae_install_split(space, { table, iova, pages, block }, () =>
      this.kernel.emit({ type: 'unmap.begin', space: space.id.value, iova, size }),
    );
    yield* this.kernel.tlb.arm_smmu_tlb_inv_range_domain(space, { iova, size, granule: size, leaf: true });
    return true;
  }
}

/** Makes the block invalid, but links the table before the old entry is invalidated. */
class NoFlushPgtable extends ArmLpaeIoPgtable {
  override *split_block(space: Space, iova: number): Task<boolean> {
    const size = this.blockBytes;
    const table = yield* this.walk(space, iova, BLOCK_LEVEL);
    if (table < 0) return false;
    const block = yield* this.arm_lpae_clear_pte(space, table, iova, BLOCK_LEVEL, () =>
      this.kernel.emit({ type: 'unmap.begin', space: space.id.value, iova, size }),
    );
    const pages = yield* this.allocSplitTable(block);
    if (pages === 0) return false;
    yield* this.arm_lpae_install_split(space, { table, iova, pages, block });
    yield* this.kernel.tlb.arm_smmu_tlb_inv_range_domain(space, { iova, size, granule: size, leaf: true });
    return true;
  }
}

const RULE = 'Arm ARM D8.16 (break-before-make); IHI 0070 §3.21.1.1';

/** Table over block. */
export const bbmBlockSplit: AsidHazard = {
  id: 'bbm-block-split',
  title: 'a block is replaced by a table without being invalid in between',
  citation: `arm_lpae_split_blk_unmap(), Linux 3.18 to 6.11; ${RULE}`,
  story:
    'A block is split by one store that links a table of pages in its place, and invalidated afterwards. In between the SMMU may hold the block and walk a page of it: two entries match one access.',
  expected: [{ monitor: 'translation', rule: 'tlb-conflict' }],
  parts: { pgtable: NoBreakPgtable },
};

/** Invalid, but not flushed, in between. */
export const bbmSplitNoFlush: AsidHazard = {
  id: 'bbm-split-no-flush',
  title: 'a block is made invalid, but not invalidated, before a table replaces it',
  citation: `${RULE}: the invalidation is a part of the sequence`,
  story:
    'A block entry is cleared and the table is linked without a TLBI in between: what was cached of the block meets the pages.',
  expected: [{ monitor: 'translation', rule: 'tlb-conflict' }],
  parts: { pgtable: NoFlushPgtable },
};
