import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  Arm64Context,
  Arm64Pgtable,
  Arm64Tlbflush,
  loadAsid,
  showTlbi,
  type Arm64Mm,
  type Arm64Tlbi,
  type ContextId,
} from '../../../impl/kernel/arm64/index.ts';
import { LEFT_BEHIND, REACHED, type RolloverHazard } from './hazard.ts';

class NeverFlushes extends Arm64Context {
  protected override *flushIfPending(cpu: number): Task {
    yield* step(`leave tlb_flush_pending[${cpu}]`, () => undefined);
  }
}

class FlushesRenewedOnly extends Arm64Context {
  protected override *slowPath(cpu: number, mm: Arm64Mm, _seen: ContextId): Task {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    const matches = yield* this.asid_gen_match(id);
    const current = matches ? id : yield* this.renew(mm, id);
    if (!matches) yield* this.flushIfPending(cpu);
    yield* this.storeActive(cpu, current);
    yield* this.lock.unlock();
  }
}

class FlushesActiveOnly extends Arm64Context {
  protected override reserve(cpu: number, active: ContextId): void {
    super.reserve(cpu, active);
    const bit = 1 << cpu;
    this.flushPending.value = active === 0 ? this.flushPending.value & ~bit : this.flushPending.value | bit;
  }

  protected override cpusToFlush(): number {
    return this.flushPending.value;
  }
}

class LoadsBeforePublished extends Arm64Context {
  protected override beforeTtbr0(): void {
    // The store of context.id may be in the store buffer when walks begin.
  }
}

class LateBarrier extends Arm64Tlbflush {
  override *flush_tlb_page(cpu: number, mm: Arm64Mm, va: number): Task {
    const asid = yield* loadAsid(mm);
    yield* this.dsbIshst();
    yield* this.tlbi(cpu, { kind: 'VALE1', asid, va });
    yield* this.tlbiSync(cpu);
  }
}

class NoBarrier extends Arm64Tlbflush {
  override *flush_tlb_page(cpu: number, mm: Arm64Mm, va: number): Task {
    const asid = yield* loadAsid(mm);
    yield* this.tlbi(cpu, { kind: 'VALE1', asid, va });
    yield* this.tlbiSync(cpu);
  }
}

class AsidBeforeClear extends Arm64Pgtable {
  protected override *ptep_clear_flush_notify(cpu: number, mm: Arm64Mm, va: number): Task {
    const asid = yield* loadAsid(mm);
    yield* this.ptep_get_and_clear(mm, va);
    yield* this.tlbflush.dsbIshst();
    yield* this.tlbflush.tlbi(cpu, { kind: 'VALE1', asid, va });
    yield* this.tlbflush.tlbiSync(cpu);
    yield* this.freePage(mm, va);
  }
}

class LocalOnly extends Arm64Tlbflush {
  override tlbi(cpu: number, instruction: Arm64Tlbi): Step<undefined> {
    return step(`TLBI ${showTlbi(instruction, false)}`, () => {
      for (const each of this.halves(instruction)) this.cpu.tlbi(cpu, each, false);
      return undefined;
    });
  }
}

class FreesBeforeSync extends Arm64Tlbflush {
  override *tlbiSync(): Task {
    // The invalidation may be under way still.
  }
}

const BARRIER =
  'comment above ASID() in asm/mmu.h, Linux 4.19 and later; commit 5e10f9887ed8, "arm64: mm: Fix TLBI vs ASID rollover"';

/** Mistakes about what TLBs keep. */
export const FLUSH_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'rollover-flush-ignored',
    title: 'a switch after a roll-over does not look at tlb_flush_pending',
    citation: 'check_and_switch_context(), Linux 6.1: local_flush_tlb_all() if cpumask_test_and_clear_cpu()',
    story: 'The CPU runs a process under a number under which its TLB still has what another one put there.',
    expected: LEFT_BEHIND,
    parts: { context: NeverFlushes },
  },
  {
    id: 'rollover-flush-renewed-only',
    title: 'a CPU flushes only if it has to renew the ASID itself',
    citation: 'check_and_switch_context(), Linux 6.1: the look at tlb_flush_pending is outside of the if',
    story:
      'Another CPU has renewed the ASID of the process. This one finds it valid under the lock, and goes on without the flush that the number needs here.',
    expected: LEFT_BEHIND,
    parts: { context: FlushesRenewedOnly },
  },
  {
    id: 'rollover-flush-mask-of-active',
    title: 'tlb_flush_pending is set to the CPUs that have switched since the last roll-over',
    citation: 'flush_context(), Linux 6.1: cpumask_setall(&tlb_flush_pending)',
    story:
      'A CPU that has not switched since the last roll-over has that flush to make still. The second roll-over takes it off the list, and it never flushes.',
    expected: LEFT_BEHIND,
    parts: { context: FlushesActiveOnly },
  },
  {
    id: 'tlbi-vs-asid-rollover',
    title: 'there is no barrier between the clearing of an entry and the load of the ASID',
    citation: BARRIER,
    story:
      'The cleared entry is in the store buffer when the old ASID is read. A roll-over gives the process another one, under which a CPU walks the old entry. The invalidation names the old ASID.',
    expected: REACHED,
    parts: { tlbflush: NoBarrier },
  },
  {
    id: 'tlbi-vs-asid-publication',
    title: 'a CPU walks under an ASID whose store to context.id has not arrived in memory',
    citation: `${BARRIER}; check_and_switch_context() has no barrier between atomic64_set() and cpu_switch_mm() unless it flushes (read in Linux 6.1; whether a processor does this is not known)`,
    story:
      'The new ASID is in the store buffer when TTBR0 is written and an entry is walked. Another CPU clears that, reads the old ASID, and invalidates under it.',
    expected: REACHED,
    parts: { context: LoadsBeforePublished },
  },
  {
    id: 'tlbi-asid-before-barrier',
    title: 'the ASID is loaded before the barrier',
    citation: BARRIER,
    story:
      'The barrier is there, but what it has to order stands in front of it: the process may have another ASID when the cleared entry reaches memory.',
    expected: REACHED,
    parts: { tlbflush: LateBarrier },
  },
  {
    id: 'tlbi-asid-before-clear',
    title: 'the ASID is loaded before the entry is cleared',
    citation: BARRIER,
    story:
      'The process gets another ASID after the load, and a CPU walks the entry under it before that is cleared. The invalidation names the old ASID.',
    expected: REACHED,
    parts: { pgtable: AsidBeforeClear },
  },
  {
    id: 'tlbi-local-only',
    title: 'a page is invalidated on the CPU that unmaps it only',
    citation: 'flush_tlb_page(), Linux 6.1: vale1is, "Invalidate a single user mapping" on all CPUs',
    story: 'Another CPU runs the process and keeps the entry.',
    expected: REACHED,
    parts: { tlbflush: LocalOnly },
  },
  {
    id: 'tlbi-no-sync',
    title: 'the page is freed without waiting for the invalidation',
    citation: 'flush_tlb_page(), Linux 6.1: __tlbi_sync_s1ish() after flush_tlb_page_nosync()',
    story: 'The invalidation is under way when the page goes to its next owner.',
    expected: REACHED,
    parts: { tlbflush: FreesBeforeSync },
  },
];
