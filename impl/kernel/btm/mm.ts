import { step, type Step, type Task } from '../../../engine/step.ts';
import { addressOf, BLOCK_LEVEL, LEAF_LEVEL } from '../io-pgtable.ts';
import { ArmMm } from '../mm.ts';
import type { Mm } from '../objects.ts';
import { tagsOf } from '../format.ts';
import { THIS_CPU, type BtmKernel } from './kernel.ts';

/** The address space of a process that CPUs run, and devices may share. */
export class BtmMm extends ArmMm {
  declare protected readonly kernel: BtmKernel;

  /** `tlb_flush()` of one page, and of the table above it. */
  protected override *tlb_flush(mm: Mm, va: number, tables: boolean): Task {
    const { kernel } = this;
    const end = va + kernel.pgtable.pageBytes;
    yield* kernel.tlbflush.flush_tlb_range(THIS_CPU, kernel.contextOf(mm), va, end, !tables);
  }

  /**
   * `arm_smmu_mm_invalidate_range()`: with BTM the broadcast of the CPU, which has completed, was for the SMMU too. It was if
   * the context descriptor has ASET = 0 and the process's pinned ASID, and if CR2.PTM is 0. The caches of
   * devices hear no broadcast.
   */
  override *arm_smmu_mm_invalidate_range(mm: Mm, start: number, size: number): Task {
    if (this.kernel.driver.features.btm) yield* this.leaveOut(mm, start);
    else yield* super.arm_smmu_mm_invalidate_range(mm, start, size);
    yield* this.kernel.ats.arm_smmu_atc_inv_domain(mm, start);
  }

  /** Tells that nothing is told to the SMMU. */
  protected *leaveOut(mm: Mm, _start: number): Task {
    yield* step('no CMD_TLBI: BTM', () => {
      const commands = tagsOf(mm.invs.value).length;
      if (commands > 0) this.kernel.emit({ type: 'tlbi.left-out', space: mm.id.value, commands });
      return undefined;
    });
  }

  /**
   * `exit_mmap()`: devices stop; then all entries go, and what CPUs have cached of them. The CPU that ran the process last
   * still has its table loaded (lazy TLB), so walks begin from it until the next context switch.
   */
  override *exit_mmap(mm: Mm): Task {
    yield* this.kernel.sva.arm_smmu_mm_release(mm);
    yield* this.unmap_vmas(mm);
    const tables: number[] = [];
    for (const block of this.blocks) {
      const table = yield* this.free_pgtables(mm, block);
      if (table !== 0) tables.push(table);
    }
    yield* this.tlb_finish_mmu(mm, tables);
    yield* this.kernel.context.mmdrop(mm);
  }

  /** Clears all entries of the last level. */
  protected unmap_vmas(mm: Mm): Step<undefined> {
    return step(`unmap_vmas(${mm.name})`, () => {
      const { pgtable, config, memory } = this.kernel;
      this.kernel.emit({ type: 'unmap.begin', space: mm.id.value, iova: 0, size: 2 ** (64 - config.t0sz) });
      for (const page of config.pages) {
        const upper = pgtable.decode(pgtable.entryAt(mm, 0, page, BLOCK_LEVEL), BLOCK_LEVEL);
        if (upper !== 0) memory.writeWord(pgtable.entryAt(mm, addressOf(upper), page, LEAF_LEVEL), 0, 0);
      }
      return undefined;
    });
  }

  /** Unlinks the table under one entry; returns its address, 0 if there is none. */
  protected *free_pgtables(mm: Mm, block: number): Task<number> {
    const { pgtable } = this.kernel;
    const entry = yield* pgtable.arm_lpae_clear_pte(mm, 0, block, BLOCK_LEVEL);
    return entry === 0 ? 0 : addressOf(entry);
  }

  /** `tlb_finish_mmu()`: what was gathered goes back to its allocators after the flush. Without tables none is made. */
  protected *tlb_finish_mmu(mm: Mm, tables: readonly number[]): Task {
    if (tables.length > 0) yield* this.kernel.tlbflush.flush_tlb_mm(THIS_CPU, this.kernel.contextOf(mm));
    yield* step(`free pages and tables of ${mm.name}`, () => {
      const { pgtable, config } = this.kernel;
      const space = mm.id.value;
      for (const table of tables) pgtable.releasePage(table);
      this.kernel.emit({ type: 'unmap.end', space, iova: 0, size: 2 ** (64 - config.t0sz), lazy: false });
      this.kernel.ownership.reset(space);
      return undefined;
    });
  }

  /** Start of each block in which there are pages. */
  private get blocks(): readonly number[] {
    const { pgtable, config } = this.kernel;
    return [...new Set(config.pages.map((page) => pgtable.blockOf(page)))];
  }
}
