import { step, type Step, type Task } from '../../../engine/step.ts';
import { KvmHyp, KvmHypVhe, KvmVcpusVhe, type Kvm, type KvmVcpu } from '../../../impl/kernel/kvm/index.ts';
import { CONFUSED, LEFT_BEHIND, MISMATCH, ZERO, type VmidHazard } from './hazard.ts';

class WalksAtHyp extends KvmHyp {
  protected override blockWalks(): void {
    // Walks for EL1 go on.
  }
}

class WalksWhenFlushing extends KvmHyp {
  protected override switchToGuest(cpu: number, kvm: Kvm): number {
    this.dsbIshst();
    this.cpu.enterHyp(cpu);
    this.blockWalks(cpu, true);
    return this.load_stage2(cpu, kvm);
  }
}

class WalksWhenRunning extends KvmHyp {
  protected override loadForGuest(cpu: number, kvm: Kvm): Step<number> {
    return step(`VTTBR := ${kvm.name}`, () => {
      this.inGuestMode();
      this.cpu.enterHyp(cpu);
      return this.load_stage2(cpu, kvm);
    });
  }
}

class UpdatedAfterVttbr extends KvmVcpusVhe {
  override *vcpu_load(cpu: number, vcpu: KvmVcpu): Task {
    const other = yield* this.kvm_arch_vcpu_load(cpu, vcpu);
    if (other) yield* this.hyp.kvm_flush_cpu_context(cpu, vcpu.kvm);
    yield* this.vhe.kvm_vcpu_load(cpu, vcpu.kvm);
  }

  override *vcpu_run(cpu: number, vcpu: KvmVcpu): Task {
    if (yield* this.vmid.kvm_arm_vmid_update(cpu, vcpu.kvm)) yield* this.vhe.kvm_vcpu_load(cpu, vcpu.kvm);
    yield* super.vcpu_run(cpu, vcpu);
  }
}

class NeverReloads extends UpdatedAfterVttbr {
  override *vcpu_run(cpu: number, vcpu: KvmVcpu): Task {
    yield* this.vmid.kvm_arm_vmid_update(cpu, vcpu.kvm);
    yield* this.hyp.kvm_vcpu_run(cpu, vcpu.kvm, () => this.vmid.entered(cpu));
  }
}

class FlushKeepsVttbr extends KvmHypVhe {
  protected override tlb_switch_to_host(cpu: number): void {
    this.blockWalks(cpu, false);
  }
}

const WALKER = 'Arm ARM D8.1.5 R_LFHQG: walks for EL1 may go on after an exception to EL2, until a DSB';

/** Mistakes about when VTTBR_EL2 is written, and what walks by it. */
export const WALK_HAZARDS: readonly VmidHazard[] = [
  {
    id: 'vmid-speculative-at',
    title: 'walks by VTTBR_EL2 are not blocked while a machine is invalidated, on CPUs that begin some at EL2',
    citation:
      'tlb_switch_to_guest() of hyp/nvhe/tlb.c, Linux 6.1: ARM64_WORKAROUND_SPECULATIVE_AT (errata 1165522, 1319367, 1530923)',
    story:
      'The VMID of a machine that runs nowhere is given away by a roll-over while a page of it is unmapped: the CPU fills its TLB from the tables of the one under the number of the other.',
    expected: LEFT_BEHIND,
    parts: { hyp: WalksAtHyp },
  },
  {
    id: 'vmid-flush-walker-not-synced',
    title: 'the walker of the host is not waited for before a machine is invalidated',
    citation: `commit "KVM: arm64: nvhe: Synchronise with page table walker on TLBI", Linux 6.4; ${WALKER}`,
    story: 'A walk of the host ends under the VMID of the machine: its guest reaches memory of the host.',
    expected: LEFT_BEHIND,
    parts: { hyp: WalksWhenFlushing },
  },
  {
    id: 'vmid-run-walker-not-synced',
    title: 'the walker of the host is not waited for before a guest is entered',
    citation: `commit "KVM: arm64: nvhe: Synchronise with page table walker on vcpu run", Linux 6.4; ${WALKER}`,
    story: 'A walk of the host ends under the VMID of the machine: its guest reaches memory of the host.',
    expected: LEFT_BEHIND,
    parts: { hyp: WalksWhenRunning },
  },
  {
    id: 'vhe-vmid-after-vttbr',
    title: 'VTTBR_EL2 is written when the vCPU is loaded, its VMID updated later, and reloaded if it changed',
    citation:
      'kvm_arch_vcpu_ioctl_run(), Linux 6.7 to 6.13; commit fa808ed4e199 "KVM: arm64: Ensure a VMID is allocated before programming VTTBR_EL2"',
    story:
      'Another vCPU of the machine gives it a VMID between the two. The update finds it current, and says that nothing has changed: the guest is entered under the VMID of before, or 0.',
    expected: [MISMATCH, ZERO, ...CONFUSED],
    parts: { vheVcpus: UpdatedAfterVttbr },
  },
  {
    id: 'vhe-vmid-not-reloaded',
    title: 'the same, and VTTBR_EL2 is not written again when the VMID has changed',
    citation:
      'commit "KVM: arm64: Reload stage-2 for VMID change on VHE", Linux 6.7: "a change to the VMID for an MMU implies a new value for VTTBR"',
    story: 'The guest is entered under the VMID that its machine had when the vCPU was loaded.',
    expected: [MISMATCH, ZERO, ...CONFUSED],
    parts: { vheVcpus: NeverReloads },
  },
  {
    id: 'vhe-flush-keeps-vttbr',
    title: 'VTTBR_EL2 keeps the machine that was invalidated, not the one whose vCPU is loaded',
    citation:
      'tlb_switch_to_host() of hyp/vhe/tlb.c; commit "KVM: arm64: Restore the stage-2 context in VHE’s __tlb_switch_to_host()", Linux 6.7',
    story: 'The guest of one machine goes on with the tables of another.',
    expected: [MISMATCH, ...CONFUSED],
    parts: { vheHyp: FlushKeepsVttbr },
  },
];
