import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  Arm64Context,
  Arm64Sched,
  ctxid2asid,
  loadAsid,
  type Arm64Mm,
  type Arm64MmContext,
  type SwitchPlan,
} from '../../../impl/kernel/arm64/index.ts';
import { CONFUSED, LEAKED, LEFT_BEHIND, TABLE_FREED, type RolloverHazard } from './hazard.ts';

class FreesAsidAtExit extends Arm64Context {
  override *arch_exit_mmap(_cpu: number, mm: Arm64MmContext): Task {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    if (yield* this.asid_gen_match(id)) yield* this.#free(ctxid2asid(id));
    yield* this.lock.unlock();
  }

  #free(asid: number): Step<undefined> {
    return step(`clear ASID ${asid} in asid_map`, () => {
      this.asidMap.value &= ~(1 << asid);
      this.cursor.value = Math.min(this.cursor.value, asid);
      return undefined;
    });
  }
}

class FreesAsidOfAnyGeneration extends Arm64Context {
  override destroy_context(mm: Arm64MmContext): void {
    const asid = ctxid2asid(mm.id.value);
    for (let cpu = 0; cpu < this.layout.cpus; cpu++) {
      this.cpu.tlbi(cpu, { kind: 'VMALLE1' }, false);
      this.cpu.dsbNsh(cpu);
    }
    if (asid === 0) return;
    this.asidMap.value &= ~(1 << asid);
    this.cursor.value = Math.min(this.cursor.value, asid);
  }
}

class InheritsAsid extends Arm64Context {
  override init_new_context(mm: Arm64MmContext): void {
    mm.pinned.value = 0;
  }
}

class AsidBeforeTable extends Arm64Context {
  protected override *cpu_switch_mm(cpu: number, mm: Arm64MmContext): Task {
    const asid = yield* loadAsid(mm);
    yield* step(`TTBR1 := ASID ${asid}`, () => {
      this.cpu.writeAsid(cpu, asid, this.userAsid(asid));
      return undefined;
    });
    yield* super.cpu_switch_mm(cpu, mm);
  }
}

class BorrowsUncounted extends Arm64Sched {
  override enterLazyTlb(cpu: number): void {
    super.enterLazyTlb(cpu);
    this.mmOf(this.activeOf(cpu).value).mm_count.value--;
  }

  override finish(cpu: number, next: Arm64Mm, plan: SwitchPlan): Task {
    return super.finish(cpu, next, plan & 1);
  }
}

class NeverReturns extends Arm64Sched {
  override *finish(cpu: number, next: Arm64Mm, plan: SwitchPlan): Task {
    yield* super.finish(cpu, next, plan & 1);
  }
}

class ReturnsFirst extends Arm64Sched {
  override *finish(cpu: number, next: Arm64Mm, plan: SwitchPlan): Task {
    if (plan > 1) yield* this.mmdrop(this.mmOf(plan >> 1));
    yield* super.finish(cpu, next, plan & 1);
  }
}

const COMMENT =
  'comment above check_and_switch_context(), asm/mmu_context.h, Linux 6.1, "It would be nice to return ASIDs back to the allocator"';

/** Mistakes about processes that begin and end. */
export const PROCESS_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'exit-frees-asid',
    title: 'the ASID of a process is free when the process ends',
    citation: `${COMMENT}: "we’d then need to make sure that we didn’t dirty any TLBs afterwards"`,
    story:
      'The next process gets it within the same generation, without a flush, and finds what the first one has left.',
    expected: LEFT_BEHIND,
    parts: { context: FreesAsidAtExit },
  },
  {
    id: 'exit-frees-asid-of-next-generation',
    title: 'the ASID of a process that is gone is free after a flush, whatever its generation is',
    citation: `${COMMENT}: "a race with a generation rollover where we could erroneously free an ASID allocated in a future generation"`,
    story:
      'The process has not run since a roll-over, and its number is another process’s by now: a third one gets it too.',
    expected: CONFUSED,
    parts: { context: FreesAsidOfAnyGeneration },
  },
  {
    id: 'fork-inherits-asid',
    title: 'a forked process inherits the ASID of its parent',
    citation:
      'init_new_context(), asm/mmu_context.h, Linux 6.1: atomic64_set(&mm->context.id, 0), since dup_mm() copies all',
    story: 'Parent and child run under one number, and each finds pages of the other.',
    expected: LEFT_BEHIND,
    parts: { context: InheritsAsid },
  },
  {
    id: 'switch-asid-before-table',
    title: 'a switch writes the new ASID while the old table is loaded',
    citation:
      'cpu_switch_mm(), asm/mmu_context.h, Linux 4.16 and later: cpu_set_reserved_ttbr0() before cpu_do_switch_mm()',
    story: 'ASID and table are in two registers. In between, speculation walks the old table under the new ASID.',
    expected: LEFT_BEHIND,
    parts: { context: AsidBeforeTable },
  },
  {
    id: 'lazy-tlb-uncounted',
    title: 'a kernel thread borrows an address space without a reference',
    citation: 'context_switch(), kernel/sched/core.c, Linux 6.1: mmgrab(prev->active_mm) before a kernel thread',
    story: 'The process ends on another CPU, its top-level table is freed, and this CPU has it loaded still.',
    expected: [TABLE_FREED],
    parts: { sched: BorrowsUncounted },
  },
  {
    id: 'lazy-tlb-never-dropped',
    title: 'a borrowed address space is not given back',
    citation: 'finish_task_switch(), kernel/sched/core.c, Linux 6.1: mmdrop(rq->prev_mm) if the kernel thread had one',
    story: 'The process ends, and its top-level table is never free.',
    expected: [LEAKED],
    parts: { sched: NeverReturns },
  },
  {
    id: 'lazy-tlb-dropped-first',
    title: 'a borrowed address space is given back before the next one is loaded',
    citation: 'finish_task_switch(), kernel/sched/core.c, Linux 6.1: mmdrop(rq->prev_mm) after switch_to()',
    story: 'The reference was the last one: the table is freed while the CPU has it loaded.',
    expected: [TABLE_FREED],
    parts: { sched: ReturnsFirst },
  },
];
