import { step, type Task } from '../../engine/step.ts';
import type { Permissions } from '../../model/contract/events.ts';
import { addressOf, BLOCK_LEVEL, LEAF_LEVEL } from './io-pgtable.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './objects.ts';

/**
 * The address space of a process on the CPU side: its page table, and the notifier by which the SMMU hears of changes.
 * The tables have the format of `io-pgtable.ts`, since CPU and SMMU walk the same ones.
 */
export class ArmMm {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** A page fault on the CPU: the page at `va` becomes `pa`. Returns false if there is no memory for a table. */
  *handle_mm_fault(mm: Mm, va: number, pa: number, permissions: Permissions): Task<boolean> {
    const { pgtable } = this.kernel;
    return yield* pgtable.arm_lpae_map_pages(mm, va, pa, pgtable.pageBytes, permissions);
  }

  /**
   * `zap_page_range()` of one page and, if it was the last one under its table, `free_pgtables()`: the entries are
   * cleared, then `invalidate_range` tells the SMMU, then the table page goes (`tlb_finish_mmu`).
   */
  *unmap_region(mm: Mm, va: number, lastUnderTable: boolean): Task<boolean> {
    const { pgtable } = this.kernel;
    const upper = yield* pgtable.walk(mm, va, BLOCK_LEVEL);
    if (upper < 0) return false;
    const entry = yield* pgtable.readEntry(mm, upper, va, BLOCK_LEVEL);
    if (entry === 0) return false;
    const table = addressOf(entry);
    const size = pgtable.pageBytes;
    yield* pgtable.arm_lpae_clear_pte(mm, table, va, LEAF_LEVEL, () =>
      this.kernel.emit({ type: 'unmap.begin', space: mm.id.value, iova: va, size }),
    );
    if (lastUnderTable) yield* pgtable.arm_lpae_clear_pte(mm, upper, va, BLOCK_LEVEL);
    yield* this.tlb_flush(mm, va, lastUnderTable);
    yield* this.arm_smmu_mm_invalidate_range(mm, va, size);
    if (lastUnderTable) yield* pgtable.free_table(table);
    return true;
  }

  /** `tlb_flush()`, what the CPUs have cached of a page: nothing here, where no CPU runs the process. */
  protected *tlb_flush(_mm: Mm, _va: number, _tables: boolean): Task {
    // See above.
  }

  /** `arm_smmu_mm_invalidate_range()`: the mmu notifier, called after the page table was changed. Tables count too. */
  *arm_smmu_mm_invalidate_range(mm: Mm, start: number, size: number): Task {
    const range = { iova: start, size, granule: this.kernel.pgtable.pageBytes, leaf: false };
    yield* this.kernel.tlb.arm_smmu_tlb_inv_range_domain(mm, range);
  }

  /** `mmput()`: the last user tears the address space down. */
  *mmput(mm: Mm): Task {
    const last = yield* mm.mm_users.put();
    if (last) yield* this.exit_mmap(mm);
  }

  /**
   * `exit_mmap()`: first `mm_release` stops devices, then nobody translates by these tables any more, and all of them
   * and the pages go at once.
   */
  *exit_mmap(mm: Mm): Task {
    yield* this.kernel.sva.arm_smmu_mm_release(mm);
    yield* step(`free_pgtables(${mm.name})`, () => {
      const { pgtable, config } = this.kernel;
      const space = mm.id.value;
      const size = 2 ** (64 - config.t0sz);
      const pgd = mm.pgd.value >>> 0;
      this.kernel.emit({ type: 'unmap.begin', space, iova: 0, size });
      pgtable.freeTablesBelow(pgd, pgtable.startLevel);
      this.kernel.emit({ type: 'unmap.end', space, iova: 0, size, lazy: false });
      this.kernel.ownership.reset(space);
      return undefined;
    });
    yield* this.kernel.context.mmdrop(mm);
  }
}
