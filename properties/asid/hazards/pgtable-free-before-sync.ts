import type { Task } from '../../../engine/step.ts';
import { ArmLpaeIoPgtable, type Space } from '../../../impl/kernel/index.ts';
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
