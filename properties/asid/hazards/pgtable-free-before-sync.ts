import type { Task } from '../../../engine/step.ts';
import { ArmLpaeIoPgtable, BLOCK_LEVEL, type Space } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Frees the table page first. */
class FreeFirstPgtable extends ArmLpaeIoPgtable {
  override *arm_lpae_release_table(space: Space, iova: number, table: number): Task {
    yield* this.free_table(table);
    yield* this.io_pgtable_tlb_flush_walk(space, iova);
  }
}

/** Issues the invalidation and frees the table page without waiting. */
class NoSyncPgtable extends ArmLpaeIoPgtable {
  override *arm_lpae_release_table(space: Space, iova: number, table: number): Task {
    const { tlb, cmdq } = this.kernel;
    const tags = yield* tlb.invalidationSet(space);
    const range = { iova: this.blockOf(iova), size: this.blockBytes, granule: this.pageBytes, leaf: false };
    if (tags === 0) {
      yield* this.free_table(table);
      return;
    }
    const prod = yield* cmdq.issue(tlb.rangeCommands(tags, range), true);
    yield* this.free_table(table);
    yield* cmdq.wait(prod);
  }
}

/** Invalidates leaf entries only, which leaves the walk caches alone. */
class LeafOnlyPgtable extends ArmLpaeIoPgtable {
  override *io_pgtable_tlb_flush_walk(space: Space, iova: number): Task {
    const range = { iova: this.blockOf(iova), size: this.blockBytes, granule: this.pageBytes, leaf: true };
    yield* this.kernel.tlb.arm_smmu_tlb_inv_range_domain(space, range);
  }
}

/** Puts a block in the place of a table without a flush. */
class BlockOverTablePgtable extends ArmLpaeIoPgtable {
  override *arm_lpae_unmap_table(space: Space, table: number, iova: number, next: number): Task {
    yield* this.arm_lpae_clear_pte(space, table, iova, BLOCK_LEVEL);
    yield* this.free_table(next);
  }
}

const IN_USE = [
  { monitor: 'tables', rule: 'table-free-in-use' },
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'translation', rule: 'unknown-translation' },
  { monitor: 'translation', rule: 'tlb-conflict' },
] as const;

/** The page goes before the flush begins. */
export const pgtableFreeBeforeFlush: AsidHazard = {
  id: 'pgtable-free-before-flush',
  title: 'a table page is freed before its walks are invalidated',
  citation: '__arm_lpae_unmap(), Linux 6.1: io_pgtable_tlb_flush_walk() comes before __arm_lpae_free_pgtable()',
  story:
    'unmap of a whole block unlinks a table and frees its page at once. A walk cache still holds the pointer to it, so the device takes the next owner’s data for descriptors.',
  expected: IN_USE,
  parts: { pgtable: FreeFirstPgtable },
};

/** The flush is issued, the page goes, then it is waited for. */
export const pgtableFreeBeforeSync: AsidHazard = {
  id: 'pgtable-free-before-sync',
  title: 'a table page is freed after the invalidation was issued, but before it is complete',
  citation: '__arm_lpae_unmap(), Linux 6.1; "iommu: Handle freelists when using deferred flushing", 2021',
  story:
    'The non-leaf invalidation is in the command queue when the table page goes back to the allocator; CMD_SYNC is waited for too late.',
  expected: IN_USE,
  parts: { pgtable: NoSyncPgtable },
};

/** The invalidation covers leaves only. */
export const pgtableFreeLeafOnly: AsidHazard = {
  id: 'pgtable-free-leaf-only',
  title: 'a table page is freed after an invalidation with the Leaf hint',
  citation:
    'arm_smmu_tlb_inv_walk(), Linux 6.1, passes leaf = false; "this can\'t be leaf-only since we may have zapped an entire table"',
  story:
    'An unlinked table is invalidated as if only last-level entries had changed: the Leaf hint lets walk caches keep the pointer to the freed page.',
  expected: IN_USE,
  parts: { pgtable: LeafOnlyPgtable },
};

/** An empty table makes room for a block. */
export const pgtableBlockOverTable: AsidHazard = {
  id: 'pgtable-block-over-table',
  title: 'a block takes the place of an empty table whose walks were never invalidated',
  citation:
    'arm_lpae_init_pte(), Linux 6.1: "We need to unmap and free the old table before overwriting it with a block entry"; VT-d once had the same mistake with superpages',
  story:
    'All pages of a block were unmapped, so its table is empty and is thrown away when a block is mapped there. A walk cache still points to the page that was the table.',
  expected: [...IN_USE, { monitor: 'translation', rule: 'spurious-fault' }],
  parts: { pgtable: BlockOverTablePgtable },
};
