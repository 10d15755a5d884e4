import { step, type Task } from '../../../engine/step.ts';
import { KvmVcpus, KvmVmid, vmidOf, type Kvm, type KvmVcpu, type VmidId } from '../../../impl/kernel/kvm/index.ts';
import { CONFUSED, FOREIGN, IDLE, LEFT_BEHIND, SHARED, SPLIT, type VmidHazard } from './hazard.ts';

class OneRolloverOnly extends KvmVmid {
  protected override reserve(cpu: number, active: VmidId): void {
    this.reservedOf(cpu).value = 0;
    super.reserve(cpu, active);
  }
}

class ReservedNotTaken extends KvmVmid {
  protected override reserve(cpu: number, active: VmidId): void {
    const bits = this.map.bits;
    super.reserve(cpu, active);
    this.map.bits = bits;
  }
}

class FirstCopyOnly extends KvmVmid {
  protected override check_update_reserved_vmid(id: VmidId, renewed: VmidId): boolean {
    const first = this.reserved.find((cell) => cell.value === id);
    if (first !== undefined) first.value = renewed;
    return first !== undefined;
  }
}

class ReservedNotRenewed extends KvmVmid {
  protected override check_update_reserved_vmid(id: VmidId): boolean {
    return this.reserved.some((cell) => cell.value === id);
  }
}

class CheckedBeforeLock extends KvmVmid {
  protected override *slowPath(cpu: number, kvm: Kvm, seen: VmidId): Task<boolean> {
    const matches = yield* this.vmid_gen_match(seen);
    yield* this.lock.lock();
    const current = matches ? seen : yield* this.renew(cpu, kvm, seen);
    yield* this.storeActive(cpu, current);
    yield* this.lock.unlock();
    return !matches;
  }
}

class ActiveAfterUnlock extends KvmVmid {
  protected override *slowPath(cpu: number, kvm: Kvm): Task<boolean> {
    yield* this.lock.lock();
    const id = yield* kvm.id.load();
    const matches = yield* this.vmid_gen_match(id);
    const current = matches ? id : yield* this.renew(cpu, kvm, id);
    yield* this.lock.unlock();
    yield* this.storeActive(cpu, current);
    return !matches;
  }
}

class PlainStoreOnFastPath extends KvmVmid {
  protected override *fastPath(cpu: number, id: VmidId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (active === 0 || !(yield* this.vmid_gen_match(id))) return false;
    yield* this.storeActive(cpu, id);
    return true;
  }
}

class IgnoresZero extends KvmVmid {
  protected override fastPathHolds(): boolean {
    return true;
  }
}

class ActiveZeroIsFine extends KvmVmid {
  protected override *fastPath(cpu: number, id: VmidId): Task<boolean> {
    const active = yield* this.activeOf(cpu).load();
    if (!(yield* this.vmid_gen_match(id))) return false;
    return (yield* this.exchangeActive(cpu, active, id)) === active;
  }
}

class ZeroWhenPut extends KvmVmid {
  override kvm_arm_vmid_clear_active(cpu: number): void {
    this.activeOf(cpu).value = 0;
  }
}

class ActiveWhenPut extends KvmVmid {
  override kvm_arm_vmid_clear_active(): void {
    // The VMID of what ran last stays active.
  }
}

class FreedWithMachine extends KvmVmid {
  override kvm_destroy_vm(kvm: Kvm): void {
    const vmid = vmidOf(kvm.id.value);
    if (vmid === 0) return;
    this.map.clear(vmid);
    this.cursor.value = Math.min(this.cursor.value, vmid);
  }
}

class PreemptedBeforeEntry extends KvmVcpus {
  override *vcpu_run(cpu: number, vcpu: KvmVcpu): Task {
    yield* this.vmid.kvm_arm_vmid_update(cpu, vcpu.kvm);
    yield* step(`preempted: vcpu_put(${vcpu.name})`, () => {
      this.vmid.kvm_arm_vmid_clear_active(cpu);
      return undefined;
    });
    yield* this.hyp.kvm_vcpu_run(cpu, vcpu.kvm, () => this.vmid.entered(cpu));
  }
}

class NoBarrierAtSwitch extends KvmVcpus {
  protected override afterSwitch(): void {
    // The active VMID that vcpu_put() has stored may be in the store buffer.
  }
}

const CONTEXT = 'twin of context.c';

/** Mistakes about what runs while a generation ends. */
export const GENERATION_HAZARDS: readonly VmidHazard[] = [
  {
    id: 'vmid-reserved-once',
    title: 'a reserved VMID survives only one roll-over',
    citation:
      'flush_context(), vmid.c, Linux 6.1, "Preserve reserved VMID"; arm commit ae120d9edfe9 "fix ASID rollover suspended animation"',
    story:
      'A CPU stays in its guest during two roll-overs. At the second its active VMID is 0, and what was reserved at the first is forgotten: the VMID goes to another machine.',
    expected: CONFUSED,
    parts: { vmid: OneRolloverOnly },
  },
  {
    id: 'vmid-reserved-not-taken',
    title: 'a reserved VMID is not marked in vmid_map',
    citation: 'flush_context(), vmid.c, Linux 6.1: __set_bit(vmid2idx(vmid), vmid_map) for every CPU',
    story: 'What a CPU runs keeps its VMID, which is given to the next machine that asks as well.',
    expected: [SHARED, ...CONFUSED],
    parts: { vmid: ReservedNotTaken },
  },
  {
    id: 'vmid-reserved-first-copy',
    title: 'only the first reserved copy of a VMID is updated',
    citation: `check_update_reserved_vmid(), vmid.c, Linux 6.1; ${CONTEXT}, "we need to ensure that all copies of the old ASID are updated to reflect the mm"`,
    story:
      'Two CPUs run vCPUs of a machine. After the next roll-over one of them is still reserved under the old generation, in which the machine is not found any more: it gets another VMID than the one it runs under there.',
    expected: CONFUSED,
    parts: { vmid: FirstCopyOnly },
  },
  {
    id: 'vmid-reserved-not-renewed',
    title: 'a reserved VMID that was found does not get the new generation',
    citation: 'check_update_reserved_vmid(), vmid.c, Linux 6.1: per_cpu(reserved_vmids, cpu) = newvmid',
    story:
      'The CPU that still runs the machine is reserved under a generation that the machine has left. At the next roll-over it is not found there, and gets a second VMID.',
    expected: CONFUSED,
    parts: { vmid: ReservedNotRenewed },
  },
  {
    id: 'vmid-checked-before-lock',
    title: 'the generation is checked before the lock is taken, not after',
    citation:
      'kvm_arm_vmid_update(), vmid.c, Linux 6.1, "Check that our VMID belongs to the current generation" under the lock',
    story:
      'Between the check and the lock another CPU begins a generation, or gives the machine a VMID of its own: the one in hand is out of date, and is used, or replaced a second time.',
    expected: [SPLIT, ...CONFUSED],
    parts: { vmid: CheckedBeforeLock },
  },
  {
    id: 'vmid-active-after-unlock',
    title: 'the active VMID is published after the lock was given back',
    citation:
      'kvm_arm_vmid_update(), vmid.c, Linux 6.1: atomic64_set(this_cpu_ptr(&active_vmids), vmid) under cpu_vmid_lock',
    story: 'A roll-over in between does not see what the CPU is about to enter, and gives its VMID away.',
    expected: CONFUSED,
    parts: { vmid: ActiveAfterUnlock },
  },
  {
    id: 'vmid-fastpath-plain-store',
    title: 'the fast path stores the active VMID without a compare and exchange',
    citation: `kvm_arm_vmid_update(), vmid.c, Linux 6.1: atomic64_cmpxchg_relaxed(); ${CONTEXT}, "atomic RmWs are totally ordered for a given location"`,
    story:
      'A roll-over comes between the look at the generation and the store: it has reserved nothing, and the VMID that is made active then is another machine’s already.',
    expected: CONFUSED,
    parts: { vmid: PlainStoreOnFastPath },
  },
  {
    id: 'vmid-fastpath-ignores-zero',
    title: 'the fast path ignores that a roll-over has emptied the active VMID',
    citation:
      'kvm_arm_vmid_update(), vmid.c, Linux 6.1, "explicitly check here for a != 0 to handle the sync with a concurrent rollover"',
    story:
      'The generation matched, a roll-over took the active VMID away, the exchange failed, and the guest is entered under a VMID of the old generation, which another machine may have now.',
    expected: CONFUSED,
    parts: { vmid: IgnoresZero },
  },
  {
    id: 'vmid-fastpath-active-zero',
    title: 'the fast path is taken by a CPU whose active VMID a roll-over has emptied',
    citation: 'kvm_arm_vmid_update(), vmid.c, Linux 6.1: old_active_vmid must not be 0 for the fast path',
    story:
      'The CPU has updated nothing since the last roll-over, so that its active VMID is 0 before the next one and after it: the exchange cannot tell, and makes a VMID of the old generation active.',
    expected: [FOREIGN, ...CONFUSED],
    parts: { vmid: ActiveZeroIsFine },
  },
  {
    id: 'vmid-put-clears-to-zero',
    title: 'the active VMID of a CPU whose vCPU is put is 0, not VMID_ACTIVE_INVALID',
    citation:
      'kvm_arm_vmid_clear_active(), vmid.c, Linux 5.16 and later; review of "KVM/arm64: Add VMID allocator based on arm64 ASID allocator", kvmarm list, 2021',
    story:
      'An idle CPU looks like one that has not updated since the last roll-over. The next one keeps for it what was reserved before, though nothing runs there: VMIDs are used up for nobody.',
    expected: IDLE,
    parts: { vmid: ZeroWhenPut },
  },
  {
    id: 'vmid-put-keeps-active',
    title: 'the active VMID stays when the vCPU is put',
    citation:
      'kvm_arch_vcpu_put(), arm.c, Linux 6.1: kvm_arm_vmid_clear_active(); commit 100b4f092f87 "KVM: arm64: Make active_vmids invalid on vCPU schedule out"',
    story: 'A roll-over reserves the VMID of a machine that ran on the CPU long ago.',
    expected: IDLE,
    parts: { vmid: ActiveWhenPut },
  },
  {
    id: 'vmid-freed-with-machine',
    title: 'the VMID of a machine that is destroyed is free at once',
    citation:
      'vmid.c, Linux 6.1: vmid_map is cleared by flush_context() alone, which flushes; kvm_free_stage2_pgd() does not',
    story: 'The next machine finds under the VMID what guests of the one before have left in the TLBs.',
    expected: LEFT_BEHIND,
    parts: { vmid: FreedWithMachine },
  },
  {
    id: 'vmid-update-preemptible',
    title: 'the thread may be preempted between the update of the VMID and the entry',
    citation:
      'comment in kvm_arch_vcpu_ioctl_run(), arm.c, Linux 6.1, "the VMID allocated may not be preserved on VMID roll-over if the task was preempted"',
    story:
      'While the thread waits its VMID is not active, and a roll-over gives it away. It goes on where it was, and enters the guest without a look.',
    expected: CONFUSED,
    parts: { vcpus: PreemptedBeforeEntry },
  },
  {
    id: 'vmid-clear-active-late',
    title: 'there is no barrier between vcpu_put() and the next update of the CPU',
    citation:
      'kvm_arm_vmid_clear_active() is a plain store and atomic64_cmpxchg_relaxed() orders nothing (vmid.c, Linux 6.1): what orders them is vcpu->mutex or the dsb(ish) in __switch_to() (read, not seen to fail)',
    story:
      'The store that makes the active VMID invalid is in the store buffer when a roll-over takes the old one and leaves 0. Then it arrives, over the 0: the exchange of the fast path succeeds with a VMID of the old generation.',
    expected: [SHARED, ...CONFUSED],
    parts: { vcpus: NoBarrierAtSwitch },
  },
];
