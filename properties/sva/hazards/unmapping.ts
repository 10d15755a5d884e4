import type { Task } from '../../../engine/step.ts';
import { Arm64Tlbflush, loadAsid, type Arm64MmContext } from '../../../impl/kernel/arm64/index.ts';
import { BtmMm, THIS_CPU } from '../../../impl/kernel/btm/index.ts';
import { addressOf, BLOCK_LEVEL, LEAF_LEVEL, type Mm } from '../../../impl/kernel/index.ts';
import { MISSED, type SvaHazard } from './hazard.ts';

class NoSync extends Arm64Tlbflush {
  override *tlbiSync(): Task {
    // What was broadcast may be under way still.
  }
}

class LeafOnly extends Arm64Tlbflush {
  protected override byAddress(): 'VALE1' | 'VAE1' {
    return 'VALE1';
  }
}

class NoBarrier extends Arm64Tlbflush {
  override *flush_tlb_range(cpu: number, mm: Arm64MmContext, start: number, _end: number, lastLevel: boolean): Task {
    const asid = yield* loadAsid(mm);
    yield* this.tlbi(cpu, { kind: this.byAddress(lastLevel), asid, va: start });
    yield* this.tlbiSync(cpu);
  }
}

class AsidBeforeBarrier extends Arm64Tlbflush {
  override *flush_tlb_range(cpu: number, mm: Arm64MmContext, start: number, _end: number, lastLevel: boolean): Task {
    const asid = yield* loadAsid(mm);
    yield* this.dsbIshst();
    yield* this.tlbi(cpu, { kind: this.byAddress(lastLevel), asid, va: start });
    yield* this.tlbiSync(cpu);
  }
}

class AsidBeforeClear extends BtmMm {
  override *unmap_region(mm: Mm, va: number, lastUnderTable: boolean): Task<boolean> {
    const { pgtable, tlbflush } = this.kernel;
    const asid = yield* loadAsid(this.kernel.contextOf(mm));
    const upper = yield* pgtable.walk(mm, va, BLOCK_LEVEL);
    const entry = upper < 0 ? 0 : yield* pgtable.readEntry(mm, upper, va, BLOCK_LEVEL);
    if (entry === 0) return false;
    yield* pgtable.arm_lpae_clear_pte(mm, addressOf(entry), va, LEAF_LEVEL, () =>
      this.kernel.emit({ type: 'unmap.begin', space: mm.id.value, iova: va, size: pgtable.pageBytes }),
    );
    if (lastUnderTable) yield* pgtable.arm_lpae_clear_pte(mm, upper, va, BLOCK_LEVEL);
    yield* tlbflush.dsbIshst();
    yield* tlbflush.tlbi(THIS_CPU, { kind: lastUnderTable ? 'VAE1' : 'VALE1', asid, va });
    yield* tlbflush.tlbiSync(THIS_CPU);
    yield* this.arm_smmu_mm_invalidate_range(mm, va, pgtable.pageBytes);
    if (lastUnderTable) yield* pgtable.free_table(addressOf(entry));
    return true;
  }
}

class FreesFirst extends BtmMm {
  override *exit_mmap(mm: Mm): Task {
    yield* this.unmap_vmas(mm);
    const table = yield* this.free_pgtables(mm, 0);
    yield* this.tlb_finish_mmu(mm, table === 0 ? [] : [table]);
    yield* this.kernel.sva.arm_smmu_mm_release(mm);
    yield* this.kernel.context.mmdrop(mm);
  }
}

const BARRIER =
  'comment above ASID() in asm/mmu.h, Linux 4.19 and later; commit 5e10f9887ed8, "arm64: mm: Fix TLBI vs ASID rollover"';

/** Mistakes of munmap and exit, as a device sees them that relies on the broadcasts. */
export const UNMAPPING_HAZARDS: readonly SvaHazard[] = [
  {
    id: 'btm-free-before-dsb',
    title: 'pages and tables are freed without waiting for the broadcast',
    citation: '__flush_tlb_range(), Linux 6.1: dsb(ish) before tlb_finish_mmu() frees; IHI 0070 §3.17.8',
    story:
      'The DSB of the CPU that broadcast is what completes a TLBI in the SMMU too. Without it, and without a CMD_SYNC, the entry is used after the page went to its next owner.',
    expected: MISSED,
    parts: { tlbflush: NoSync },
  },
  {
    id: 'btm-table-leaf-only',
    title: 'a table is freed after a broadcast for the last level alone',
    citation: '__flush_tlb_range(), Linux 6.1: last_level is !tlb->freed_tables, and vae1is if tables go',
    story: 'VALE1IS leaves walk caches alone, of CPUs and of the SMMU. A walk goes on from the table that was freed.',
    expected: MISSED,
    parts: { tlbflush: LeafOnly },
  },
  {
    id: 'btm-tlbi-no-barrier',
    title: 'a TLBI is broadcast while the cleared entry may still be in the store buffer',
    citation: 'flush_tlb_range(), Linux 6.1: dsb(ishst) before the first TLBI; IHI 0070 §3.17.8, Arm ARM D8.17',
    story: 'The SMMU drops the entry, reads the old one from memory again, and only then the store arrives.',
    expected: MISSED,
    parts: { tlbflush: NoBarrier },
  },
  {
    id: 'btm-tlbi-vs-asid-rollover',
    title: 'the ASID is loaded before the barrier after which the cleared entry is seen',
    citation: BARRIER,
    story:
      'The cleared entry is in the store buffer when the ASID is read. Meanwhile bind pins another one, since a generation has ended, and the device walks the old entry under it. The broadcast names the old ASID.',
    expected: MISSED,
    parts: { tlbflush: AsidBeforeBarrier },
  },
  {
    id: 'btm-asid-before-clear',
    title: 'the ASID is loaded before the entry is cleared',
    citation: BARRIER,
    story: 'The process gets another ASID in between, and the device walks the entry under it; no store is late.',
    expected: MISSED,
    parts: { mm: AsidBeforeClear },
  },
  {
    id: 'sva-release-after-free',
    title: 'a process frees its pages before devices are stopped',
    citation: 'exit_mmap(), Linux 6.1: mmu_notifier_release() comes first; arm_smmu_mm_release()',
    story:
      'The device still translates by the tables while they go. Where the SMMU hears no broadcast its entries stay; where it does, its accesses fault that were promised to end quietly.',
    expected: MISSED,
    parts: { mm: FreesFirst },
  },
];
