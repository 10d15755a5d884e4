import type { Task } from '../../../engine/step.ts';
import { BLOCK_LEVEL, type Space } from '../../../impl/kernel/index.ts';
import { Stage2Pgtable, vmidTag, type NestedKernel } from '../../../impl/kernel/nested/index.ts';
import { STALE } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Frees the table page first. */
class FreeFirst extends Stage2Pgtable {
  override *arm_lpae_release_table(space: Space, iova: number, table: number): Task {
    yield* this.free_table(table);
    yield* this.io_pgtable_tlb_flush_walk(space, iova);
  }
}

/** Issues the invalidation and frees the table page without waiting. */
class NoSync extends Stage2Pgtable {
  override *arm_lpae_release_table(space: Space, iova: number, table: number): Task {
    const { invs, tlb, cmdq } = this.kernel as NestedKernel;
    const set = invs.named(yield* invs.load(space.invs));
    const vmid = set[0]?.id ?? 0;
    const range = { iova: this.blockOf(iova), size: this.blockBytes, granule: this.pageBytes, leaf: false };
    const list = set.length === 0 ? [] : [...tlb.arm_smmu_tlb_inv_range(vmidTag(vmid), range), tlb.nhAllCommand(vmid)];
    yield* cmdq.issue(list, false);
    yield* this.free_table(table);
    yield* this.io_pgtable_tlb_flush_walk(space, iova);
  }
}

/** Links the table over the block and invalidates afterwards. */
class NoBreak extends Stage2Pgtable {
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
    yield* this.tlbInvRange(space, { iova, size, granule: size, leaf: true });
    return true;
  }
}

/** Puts a block in the place of a table without a flush. */
class BlockOverTable extends Stage2Pgtable {
  override *arm_lpae_unmap_table(space: Space, table: number, iova: number, next: number): Task {
    yield* this.arm_lpae_clear_pte(space, table, iova, BLOCK_LEVEL);
    yield* this.free_table(next);
  }
}

/** The page goes before the flush begins. */
export const s2PgtableFreeBeforeFlush: SmmuHazard = {
  id: 's2-pgtable-free-before-flush',
  title: 'a table page of stage 2 is freed before its walks are invalidated',
  citation: '__arm_lpae_unmap(), Linux 6.1: io_pgtable_tlb_flush_walk() comes before __arm_lpae_free_pages()',
  story:
    'unmap of a whole block of stage 2 unlinks a table and frees its page at once. Walk caches still hold the pointer to it, and translate a guest’s device by the next owner’s data.',
  expected: STALE,
  parts: { stage2: FreeFirst },
};

/** The flush is issued, the page goes, then it is waited for. */
export const s2PgtableFreeBeforeSync: SmmuHazard = {
  id: 's2-pgtable-free-before-sync',
  title: 'a table page of stage 2 is freed after the invalidation was issued, but before it is complete',
  citation: '__arm_lpae_unmap(), Linux 6.1; "iommu: Handle freelists when using deferred flushing", 2021',
  story:
    'The non-leaf invalidation is in the command queue when the table page goes back to the allocator; CMD_SYNC is waited for too late.',
  expected: STALE,
  parts: { stage2: NoSync },
};

/** Table over block. */
export const s2BlockSplit: SmmuHazard = {
  id: 's2-block-split',
  title: 'a block of stage 2 is replaced by a table without being invalid in between',
  citation: 'arm_lpae_split_blk_unmap(), Linux 3.18 to 6.11; Arm ARM D8.16 (break-before-make); IHI 0070 §3.21.1.1',
  story:
    'A block of stage 2 is split by one store that links a table of pages in its place, and invalidated afterwards. In between the SMMU may hold the block and walk a page of it: two entries match one access.',
  expected: [
    { monitor: 'translation', rule: 'tlb-conflict' },
    { monitor: 'translation', rule: 'unpredictable' },
  ],
  parts: { stage2: NoBreak },
};

/** An empty table makes room for a block. */
export const s2BlockOverTable: SmmuHazard = {
  id: 's2-block-over-table',
  title: 'a block of stage 2 takes the place of an empty table whose walks were never invalidated',
  citation:
    'arm_lpae_init_pte(), Linux 6.1: "We need to unmap and free the old table before overwriting it with a block entry"',
  story:
    'All pages of a block were unmapped, so its table is empty and is thrown away when a block is mapped there. A walk cache still points to the page that was the table.',
  expected: STALE,
  parts: { stage2: BlockOverTable },
};
