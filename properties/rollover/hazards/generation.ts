import type { Cell } from '../../../engine/cell.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  Arm64Context,
  ctxid2asid,
  showContextId,
  type Arm64Mm,
  type ContextId,
} from '../../../impl/kernel/arm64/index.ts';
import { CONFUSED, LEFT_BEHIND, type RolloverHazard } from './hazard.ts';

class OneRolloverOnly extends Arm64Context {
  protected override reserve(cpu: number, active: ContextId): void {
    this.setBit(ctxid2asid(active));
    (this.reserved[cpu] as Cell).value = active;
  }
}

class ReservedNotTaken extends Arm64Context {
  protected override reserve(cpu: number, active: ContextId): void {
    const cell = this.reserved[cpu] as Cell;
    if (active !== 0) cell.value = active;
  }
}

class FirstCopyOnly extends Arm64Context {
  protected override check_update_reserved_asid(id: ContextId, renewed: ContextId): boolean {
    const first = this.reserved.find((cell) => cell.value === id);
    if (first !== undefined) first.value = renewed;
    return first !== undefined;
  }
}

class ReservedNotRenewed extends Arm64Context {
  protected override check_update_reserved_asid(id: ContextId): boolean {
    return this.reserved.some((cell) => cell.value === id);
  }
}

class CheckedBeforeLock extends Arm64Context {
  protected override *slowPath(cpu: number, mm: Arm64Mm, seen: ContextId): Task {
    const matches = yield* this.asid_gen_match(seen);
    yield* this.lock.lock();
    const current = matches ? seen : yield* this.renew(mm, seen);
    yield* this.flushIfPending(cpu);
    yield* this.storeActive(cpu, current);
    yield* this.lock.unlock();
  }
}

class ActiveAfterUnlock extends Arm64Context {
  protected override *slowPath(cpu: number, mm: Arm64Mm): Task {
    yield* this.lock.lock();
    const id = yield* mm.id.load();
    const current = (yield* this.asid_gen_match(id)) ? id : yield* this.renew(mm, id);
    yield* this.flushIfPending(cpu);
    yield* this.lock.unlock();
    yield* this.storeActive(cpu, current);
  }
}

class PlainStoreOnFastPath extends Arm64Context {
  protected override *fastPath(cpu: number, id: ContextId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (active === 0 || !(yield* this.asid_gen_match(id))) return false;
    yield* this.storeActive(cpu, id);
    return true;
  }
}

class ReplacesZero extends Arm64Context {
  protected override exchangeActive(cpu: number, _expected: ContextId, id: ContextId): Step<ContextId> {
    const cell = this.activeOf(cpu);
    const run = (): number => {
      const before = cell.value;
      cell.exchange(id);
      return before;
    };
    return step(`xchg ${cell.name} ${showContextId(id)}`, run, showContextId);
  }
}

class IgnoresZero extends Arm64Context {
  protected override fastPathHolds(): boolean {
    return true;
  }
}

class ActiveZeroIsFine extends Arm64Context {
  protected override *fastPath(cpu: number, id: ContextId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (!(yield* this.asid_gen_match(id))) return false;
    return (yield* this.exchangeActive(cpu, active, id)) === active;
  }
}

class KeepsTtbr0 extends Arm64Context {
  override *cpu_set_reserved_ttbr0(): Task {
    yield* step('TTBR0 stays', () => undefined);
  }
}

/** Mistakes about what runs while a generation ends. */
export const GENERATION_HAZARDS: readonly RolloverHazard[] = [
  {
    id: 'asid-suspended-animation',
    title: 'a reserved ASID survives only one roll-over',
    citation:
      'flush_context(), Linux 6.1, "this is the only trace we have of the process it is still running"; ARM commit ae120d9edfe9, "fix ASID rollover suspended animation"',
    story:
      'A CPU does not switch during two roll-overs. At the second its active ASID is 0, and what was reserved at the first is forgotten: the ASID goes to another process while the first one still runs under it.',
    expected: CONFUSED,
    parts: { context: OneRolloverOnly },
  },
  {
    id: 'rollover-reserved-not-taken',
    title: 'a reserved ASID is not marked in asid_map',
    citation: 'flush_context(), Linux 6.1: __set_bit(asid2idx(asid), asid_map) for every CPU',
    story: 'What a CPU runs keeps its ASID, which is given to the next process that asks as well.',
    expected: CONFUSED,
    parts: { context: ReservedNotTaken },
  },
  {
    id: 'rollover-reserved-first-copy',
    title: 'only the first reserved copy of an ASID is updated',
    citation:
      'check_update_reserved_asid(), Linux 6.1, "we can’t exit the loop early, since we need to ensure that all copies of the old ASID are updated to reflect the mm"',
    story:
      'Two CPUs run a process. After the next roll-over one of them is still reserved under the old generation, in which the process is not found any more: it gets another ASID than the one it runs under there.',
    expected: CONFUSED,
    parts: { context: FirstCopyOnly },
  },
  {
    id: 'rollover-reserved-not-renewed',
    title: 'a reserved ASID that was found does not get the new generation',
    citation: 'check_update_reserved_asid(), Linux 6.1: per_cpu(reserved_asids, cpu) = newasid',
    story:
      'The CPU that still runs the process is reserved under a generation that the process has left. At the next roll-over it is not found there, and gets a second ASID.',
    expected: CONFUSED,
    parts: { context: ReservedNotRenewed },
  },
  {
    id: 'rollover-checked-before-lock',
    title: 'the generation is checked before the lock is taken, not after',
    citation:
      'check_and_switch_context(), Linux 6.1, "Check that our ASID belongs to the current generation" under the lock',
    story:
      'Between the check and the lock another CPU begins a generation, or gives the process an ASID of its own: the one in hand is out of date, and is used, or replaced a second time.',
    expected: CONFUSED,
    parts: { context: CheckedBeforeLock },
  },
  {
    id: 'rollover-active-after-unlock',
    title: 'the active ASID is published after the lock was given back',
    citation:
      'check_and_switch_context(), Linux 6.1: atomic64_set(this_cpu_ptr(&active_asids), asid) under cpu_asid_lock',
    story: 'A roll-over in between does not see what the CPU is about to run, and gives its ASID away.',
    expected: CONFUSED,
    parts: { context: ActiveAfterUnlock },
  },
  {
    id: 'rollover-fastpath-plain-store',
    title: 'the fast path stores the active ASID without a compare and exchange',
    citation:
      'check_and_switch_context(), Linux 6.1, "the relaxed xchg in flush_context will treat us as reserved because atomic RmWs are totally ordered for a given location"',
    story:
      'A roll-over comes between the look at the generation and the store: it has reserved the process before, and the ASID that is made active then is another process’s already.',
    expected: CONFUSED,
    parts: { context: PlainStoreOnFastPath },
  },
  {
    id: 'rollover-fastpath-xchg',
    title: 'the fast path replaces an active ASID that a roll-over has emptied',
    citation:
      'commit a8ffaaa060b8, "arm64: asid: Do not replace active_asids if already 0", Linux 4.16; found by the TLA+ model of the algorithm ("Re: [PATCH RFC 11/14] arm64: Move the ASID allocator code in a separate file", C. Marinas, 2019)',
    story:
      'The exchange finds 0, and the CPU goes to the slow path. But it has left an ASID of the old generation there, whose number is another process’s by now: the next roll-over reserves that for both.',
    expected: CONFUSED,
    parts: { context: ReplacesZero },
  },
  {
    id: 'rollover-fastpath-ignores-zero',
    title: 'the fast path ignores that a roll-over has emptied the active ASID',
    citation:
      'check_and_switch_context(), Linux 6.1, "We get a zero back from the cmpxchg and end up waiting on the lock"; the twin in kvm_arm_vmid_update()',
    story:
      'The generation matched, a roll-over took the active ASID away, the exchange failed, and the process runs under an ASID of the old generation, without a flush.',
    expected: CONFUSED,
    parts: { context: IgnoresZero },
  },
  {
    id: 'rollover-fastpath-active-zero',
    title: 'the fast path is taken by a CPU that has not switched since the last roll-over',
    citation: 'check_and_switch_context(), Linux 6.1: old_active_asid must not be 0 for the fast path',
    story:
      'Another CPU has given the process an ASID of the new generation. This CPU makes it active without a look at tlb_flush_pending, and finds what it had under that number before.',
    expected: LEFT_BEHIND,
    parts: { context: ActiveZeroIsFine },
  },
  {
    id: 'rollover-cnp-keeps-ttbr0',
    title: 'with common TLBs the old context stays loaded while the new one gets its ASID',
    citation:
      'check_and_switch_context(), Linux 4.20 and later: cpu_set_reserved_ttbr0() if system_supports_cnp(); commit 5ffdfaedfa0a "arm64: mm: Support Common Not Private translations"',
    story:
      'The CPU is not reserved for the process any more that its TTBR0 still names. The ASID goes to another process on another CPU, and walks from here fill the TLB that both share.',
    expected: LEFT_BEHIND,
    parts: { context: KeepsTtbr0 },
  },
];
