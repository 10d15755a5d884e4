import { step, type Step, type Task } from '../../../engine/step.ts';
import { KvmHyp, KvmMmu, KvmVmid, type Kvm } from '../../../impl/kernel/kvm/index.ts';
import { hex } from '../../../impl/kernel/format.ts';
import { LEAKED, LEFT_BEHIND, MISMATCH, REACHED, type VmidHazard } from './hazard.ts';

class NeverFlushes extends KvmVmid {
  protected override *flush_context(): Task {
    yield* this.clearMap();
    yield* this.reserveAll();
  }
}

class FlushesLocally extends KvmHyp {
  override *kvm_flush_vm_context(cpu: number): Task {
    yield* step('TLBI ALLE1, DSB NSH', () => {
      this.cpu.tlbiAlle1(cpu);
      this.cpu.dsbNsh(cpu);
      return undefined;
    });
  }
}

class FlushesWithoutSync extends KvmHyp {
  override *kvm_flush_vm_context(cpu: number): Task {
    yield* step('TLBI ALLE1IS', () => {
      this.cpu.tlbiAlle1is(cpu);
      return undefined;
    });
  }
}

class FlushesBeforeReserving extends KvmVmid {
  protected override *flush_context(cpu: number): Task {
    yield* this.hyp.kvm_flush_vm_context(cpu);
    yield* this.clearMap();
    yield* this.reserveAll();
  }
}

class KeepsVttbrAtExit extends KvmHyp {
  override exit(cpu: number): void {
    this.guest(cpu).value = 0;
    this.cpu.enterHyp(cpu);
    this.cpu.enterHost(cpu);
  }
}

class KeepsVttbrAfterFlush extends KvmHyp {
  protected override tlb_switch_to_host(cpu: number): void {
    this.cpu.enterHost(cpu);
  }
}

class KeepsPages extends KvmMmu {
  override *kvm_free_stage2_pgd(): Task {
    // The machine is gone, and nobody knows of its pages.
  }
}

class EntersEarly extends KvmHyp {
  protected override inGuestMode(): void {
    // The store of vmid.id may be in the store buffer when walks begin.
  }
}

class NoStageOne extends KvmHyp {
  protected override *dsbBetween(): Task {
    // Nothing comes after it.
  }

  protected override tlbiStageOne(): Step<undefined> {
    return step('no TLBI VMALLE1IS', () => undefined);
  }
}

class NoDsbBetween extends KvmHyp {
  protected override *dsbBetween(): Task {
    // Both are under way at once.
  }
}

class StageOneFirst extends KvmHyp {
  override *flushIpa(cpu: number, ipa: number): Task {
    yield* this.tlbiStageOne(cpu);
    yield* this.dsbBetween(cpu);
    yield* this.tlbiIpa(cpu, ipa);
    yield* this.syncAndSwitchToHost(cpu);
  }
}

class LocalOnly extends KvmHyp {
  protected override tlbiIpa(cpu: number, ipa: number): Step<undefined> {
    return step(`TLBI IPAS2E1 ${hex(ipa)}`, () => {
      this.cpu.tlbiIpas2e1(cpu, ipa);
      return undefined;
    });
  }

  protected override tlbiStageOne(cpu: number): Step<undefined> {
    return step('TLBI VMALLE1', () => {
      this.cpu.tlbiVmalle1(cpu);
      return undefined;
    });
  }
}

class NoSync extends KvmHyp {
  protected override sync(): void {
    // The invalidation may be under way still.
  }
}

class HostVmid extends KvmHyp {
  protected override switchToGuest(cpu: number, _kvm: Kvm): number {
    this.dsbIshst();
    this.cpu.enterHyp(cpu);
    return 0;
  }
}

class NoBarrier extends KvmHyp {
  protected override dsbIshst(): void {
    // The cleared entry may be in the store buffer.
  }
}

class LateBarrier extends KvmHyp {
  protected override switchToGuest(cpu: number, kvm: Kvm): number {
    this.cpu.enterHyp(cpu);
    this.waitForWalks(cpu);
    this.blockWalks(cpu, true);
    return this.load_stage2(cpu, kvm);
  }

  override *flushIpa(cpu: number, ipa: number): Task {
    yield* step('DSB ISHST', () => {
      this.dsbIshst();
      return undefined;
    });
    yield* super.flushIpa(cpu, ipa);
  }
}

class VmidBeforeClear extends KvmMmu {
  protected override *stage2_put_pte(cpu: number, kvm: Kvm, ipa: number): Task {
    yield* this.hyp.tlb_switch_to_guest(cpu, kvm);
    yield* this.kvm_clear_pte(kvm, ipa);
    yield* this.hyp.flushIpa(cpu, ipa);
    yield* this.putPage(kvm, ipa);
  }
}

class FlushesBeforeClear extends KvmMmu {
  protected override *stage2_put_pte(cpu: number, kvm: Kvm, ipa: number): Task {
    yield* this.hyp.kvm_tlb_flush_vmid_ipa(cpu, kvm, ipa);
    yield* this.kvm_clear_pte(kvm, ipa);
    yield* this.putPage(kvm, ipa);
  }
}

class FreesBeforeFlush extends KvmMmu {
  protected override *stage2_put_pte(cpu: number, kvm: Kvm, ipa: number): Task {
    yield* this.kvm_clear_pte(kvm, ipa);
    yield* this.putPage(kvm, ipa);
    yield* this.hyp.kvm_tlb_flush_vmid_ipa(cpu, kvm, ipa);
  }
}

const FLUSH = 'kvm_flush_vm_context() of hyp/nvhe/tlb.c and flush_context() of vmid.c, Linux 6.1';
const UNMAP = 'kvm_tlb_flush_vmid_ipa() of hyp/nvhe/tlb.c, Linux 6.1';
const BARRIER = `${UNMAP}: dsb(ishst) before the VMID is read; arm64 commit 5e10f9887ed8, "Fix TLBI vs ASID rollover", and its sibling for VMIDs`;
const WALKS = 'Arm ARM D8.1.5 R_NRJPP: while the CPU is at EL2 nothing is walked by VTTBR_EL2, at EL1 it is';

/** Mistakes about what TLBs keep. */
export const FLUSH_HAZARDS: readonly VmidHazard[] = [
  {
    id: 'vmid-rollover-no-flush',
    title: 'a roll-over leaves the TLBs as they are',
    citation: FLUSH,
    story: 'A guest is entered under a VMID under which the TLB still has what another machine put there.',
    expected: LEFT_BEHIND,
    parts: { vmid: NeverFlushes },
  },
  {
    id: 'cnp-needs-broadcast-rollover',
    title: 'a roll-over flushes the CPU on which it happens, and no other',
    citation: `${FLUSH}, "we broadcast TLB flush + I-cache invalidation over the inner shareable domain on rollover"`,
    story:
      'Other CPUs keep their entries, and nothing tells them to flush later: there is no tlb_flush_pending for VMIDs.',
    expected: LEFT_BEHIND,
    parts: { hyp: FlushesLocally },
  },
  {
    id: 'vmid-rollover-no-sync',
    title: 'a roll-over does not wait for its flush',
    citation: `${FLUSH}: __tlbi_sync_s1ish_hyp()`,
    story: 'The invalidation is under way when the next machine is entered under the VMID.',
    expected: LEFT_BEHIND,
    parts: { hyp: FlushesWithoutSync },
  },
  {
    id: 'vmid-flush-before-reserve',
    title: 'a roll-over flushes before it looks what the CPUs run',
    citation: 'flush_context(), vmid.c, Linux 6.1: the flush comes after the loop over active_vmids',
    story:
      'A guest that runs on after the flush fills the TLB, is left, and its VMID is not active any more when the roll-over looks: it goes to another machine with the entries.',
    expected: LEFT_BEHIND,
    parts: { vmid: FlushesBeforeReserving },
  },
  {
    id: 'vmid-speculative-refill',
    title: 'VTTBR_EL2 keeps the guest when the guest is left for the host',
    citation: `__kvm_vcpu_run(), hyp/nvhe/switch.c, Linux 6.1: __load_host_stage2(); ${WALKS}`,
    story:
      'The vCPU is put, its VMID is given away by a roll-over, and the CPU goes on walking the tables of the machine under it after the flush.',
    expected: LEFT_BEHIND,
    parts: { hyp: KeepsVttbrAtExit },
  },
  {
    id: 'vmid-flush-keeps-vttbr',
    title: 'VTTBR_EL2 keeps the machine that was invalidated',
    citation: `__tlb_switch_to_host(), hyp/nvhe/tlb.c, Linux 6.1; ${WALKS}`,
    story:
      'The machine need not run anywhere, so that a roll-over gives its VMID away, while the CPU that unmapped a page of it walks its tables.',
    expected: LEFT_BEHIND,
    parts: { hyp: KeepsVttbrAfterFlush },
  },
  {
    id: 'vmid-entered-before-published',
    title: 'a guest is entered under a VMID whose store has not arrived in memory',
    citation: 'kvm_arch_vcpu_ioctl_run(), arm.c, Linux 6.1: smp_store_mb(vcpu->mode, IN_GUEST_MODE)',
    story:
      'The new VMID is in the store buffer when entries are walked under it. Another CPU clears one of them, reads the old VMID, and invalidates under that.',
    expected: [MISMATCH, ...REACHED, ...LEFT_BEHIND],
    parts: { hyp: EntersEarly },
  },
  {
    id: 'vmid-unmap-stage-two-only',
    title: 'only stage 2 entries of a page are invalidated, not those of both stages',
    citation: `${UNMAP}, "we invalidate Stage-2 for this IPA, and the whole of Stage-1"`,
    story: 'The guest goes on with an entry that leads from its own address to the page.',
    expected: REACHED,
    parts: { hyp: NoStageOne },
  },
  {
    id: 'vmid-unmap-no-dsb-between',
    title: 'there is no DSB between the invalidations of stage 2 and of stage 1',
    citation: `${UNMAP}, "We have to ensure completion of the invalidation at Stage-2"`,
    story:
      'An entry of both stages is made of the stage 2 entry, which is still there, after those of both stages have gone.',
    expected: REACHED,
    parts: { hyp: NoDsbBetween },
  },
  {
    id: 'vmid-unmap-stage-one-first',
    title: 'stage 1 is invalidated before stage 2',
    citation: `${UNMAP}, "if the Stage-1 invalidation happened first"`,
    story: 'The same, with certainty: the stage 2 entry goes last.',
    expected: REACHED,
    parts: { hyp: StageOneFirst },
  },
  {
    id: 'vmid-unmap-local-only',
    title: 'a page is invalidated on the CPU that unmaps it only',
    citation: `${UNMAP}: ipas2e1is, vmalle1is`,
    story: 'Another CPU is in the guest and keeps the entries.',
    expected: REACHED,
    parts: { hyp: LocalOnly },
  },
  {
    id: 'vmid-unmap-no-sync',
    title: 'the page goes back without waiting for the invalidation',
    citation: `${UNMAP}: __tlbi_sync_s1ish_hyp()`,
    story: 'The invalidation is under way when the page goes to its next owner.',
    expected: REACHED,
    parts: { hyp: NoSync },
  },
  {
    id: 'vmid-unmap-host-vmid',
    title: 'the invalidation is executed with what VTTBR_EL2 happens to have',
    citation: `${UNMAP}, "Switch to requested VMID"`,
    story: 'The TLBI covers VMID 0, the host’s.',
    expected: REACHED,
    parts: { hyp: HostVmid },
  },
  {
    id: 'tlbi-vs-vmid-rollover',
    title: 'there is no barrier between the clearing of an entry and the read of the VMID',
    citation: BARRIER,
    story:
      'The cleared entry is in the store buffer when the invalidation is executed, or the VMID read: a walk makes the entry again, under the same VMID or a new one.',
    expected: REACHED,
    parts: { hyp: NoBarrier },
  },
  {
    id: 'tlbi-vmid-before-barrier',
    title: 'the VMID is read before the barrier',
    citation: BARRIER,
    story:
      'The barrier is there, but what it has to order stands in front of it: the machine may have another VMID when the cleared entry reaches memory.',
    expected: REACHED,
    parts: { hyp: LateBarrier },
  },
  {
    id: 'tlbi-vmid-before-clear',
    title: 'the VMID is read before the entry is cleared',
    citation: BARRIER,
    story:
      'The machine gets another VMID after the read, and a CPU walks the entry under it before that is cleared. The invalidation names the old VMID.',
    expected: REACHED,
    parts: { mmu: VmidBeforeClear },
  },
  {
    id: 'vmid-unmap-flush-first',
    title: 'a page is invalidated before its entry is cleared',
    citation: 'stage2_put_pte(), hyp/pgtable.c, Linux 6.1: kvm_clear_pte() comes first',
    story: 'The entry is walked again between the two.',
    expected: REACHED,
    parts: { mmu: FlushesBeforeClear },
  },
  {
    id: 'vmid-unmap-free-first',
    title: 'a page goes back before it is invalidated',
    citation: 'stage2_put_pte(), hyp/pgtable.c, Linux 6.1: put_page() comes last',
    story: 'The next owner has the page while the guest still reaches it.',
    expected: REACHED,
    parts: { mmu: FreesBeforeFlush },
  },
  {
    id: 'vmid-destroy-keeps-pages',
    title: 'a machine that is destroyed keeps its pages',
    citation: 'kvm_free_stage2_pgd(), arch/arm64/kvm/mmu.c, Linux 6.1: kvm_pgtable_stage2_destroy()',
    story: 'Nobody can reach the pages, and nobody will ever free them.',
    expected: [LEAKED],
    parts: { mmu: KeepsPages },
  },
];
