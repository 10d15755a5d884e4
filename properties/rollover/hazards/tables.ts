import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  Arm64Pgtable,
  Arm64Tlbflush,
  type Arm64Mm,
  type Arm64MmContext,
  type Gathered,
  type VaRange,
} from '../../../impl/kernel/arm64/index.ts';
import { LEAKED, STALE, TABLE_FREED, type RolloverHazard } from './hazard.ts';

const PAGE_BYTES = 4096;

class LastLevelAlways extends Arm64Tlbflush {
  protected override byAddress(): 'VALE1' {
    return 'VALE1';
  }
}

class ShortRange extends Arm64Tlbflush {
  override *flush_tlb_range(cpu: number, mm: Arm64MmContext, start: number, end: number, lastLevel: boolean): Task {
    yield* super.flush_tlb_range(cpu, mm, start, end - PAGE_BYTES, lastLevel);
  }
}

class TableFreedAtOnce extends Arm64Pgtable {
  protected override pmd_clear(mm: Arm64Mm, va: number): Step<number> {
    const clear = super.pmd_clear(mm, va);
    return step(`${clear.label}, pte_free`, () => {
      const table = clear.run();
      if (table !== 0) this.owner.tableFreed(mm, table);
      return table;
    });
  }

  protected override freePages(mm: Arm64Mm, pages: readonly number[]): Step<undefined> {
    return super.freePages(mm, pages, 0);
  }
}

class PagesBeforeFlush extends Arm64Pgtable {
  protected override *tlb_finish_mmu(cpu: number, mm: Arm64Mm, range: VaRange, { pages, table }: Gathered): Task {
    yield* this.freePages(mm, pages, 0);
    yield* super.tlb_finish_mmu(cpu, mm, range, { pages: [], table });
  }
}

class MapsAfterExit extends Arm64Pgtable {
  protected override mayMap(mm: Arm64Mm, va: number): boolean {
    return !this.isMapped(mm, va);
  }
}

class NeverAtExit extends Arm64Tlbflush {
  override *flush_tlb_mm(): Task {
    // Nobody will run under the ASID before every TLB was flushed.
  }
}

/** Mistakes about ranges of pages, and about the tables that served them. */
export const TABLE_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'tlbi-last-level-for-table',
    title: 'only entries of the last level are invalidated, although a table goes',
    citation:
      'flush_tlb_range(), asm/tlbflush.h, Linux 6.1, "We cannot use leaf-only invalidation here"; tlb_flush(), asm/tlb.h: last_level = !tlb->freed_tables',
    story: 'A CPU remembers where the table was, and walks what its next owner writes there.',
    expected: [TABLE_FREED],
    parts: { tlbflush: LastLevelAlways },
  },
  {
    id: 'tlbi-range-short',
    title: 'the invalidation of a range ends one page early',
    citation: '__flush_tlb_range(), asm/tlbflush.h, Linux 6.1: end = round_up(end, stride)',
    story: 'The last page is freed, and a CPU that runs the process has its translation still.',
    expected: [STALE, TABLE_FREED],
    parts: { tlbflush: ShortRange },
  },
  {
    id: 'pgtable-freed-at-once',
    title: 'a table is freed when it is unlinked',
    citation: '__pte_free_tlb(), asm/tlb.h, Linux 6.1: tlb_remove_table(), so that it goes after the flush',
    story: 'CPUs remember where the table was until the invalidation that comes after.',
    expected: [TABLE_FREED],
    parts: { pgtable: TableFreedAtOnce },
  },
  {
    id: 'tlbi-pages-freed-first',
    title: 'the pages of a range are freed before the invalidation',
    citation: 'tlb_flush_mmu(), mm/mmu_gather.c, Linux 6.1: tlb_flush_mmu_tlbonly() before tlb_flush_mmu_free()',
    story: 'A CPU that runs the process reaches pages of their next owner.',
    expected: [STALE],
    parts: { pgtable: PagesBeforeFlush },
  },
  {
    id: 'pgtable-maps-after-exit',
    title: 'a page is mapped in a process whose last user is gone',
    citation:
      'mmget_not_zero(), include/linux/sched/mm.h, Linux 6.1: who reaches into another process needs a user reference',
    story: 'The end of the process has passed the entry already: nobody will ever free the page.',
    expected: [LEAKED, STALE],
    parts: { pgtable: MapsAfterExit },
  },
  {
    id: 'tlbi-exit-keeps-tables',
    title: 'the end of a process invalidates nothing, although its tables go',
    citation:
      'tlb_flush(), asm/tlb.h, Linux 6.1: flush_tlb_mm() if (!last_level), "we only care about invalidating the walk-cache"',
    story:
      'A kernel thread has the ASID of the process loaded. Entries of pages under it are harmless; those of tables lead into pages that somebody else writes to.',
    expected: [TABLE_FREED],
    parts: { tlbflush: NeverAtExit },
  },
];
