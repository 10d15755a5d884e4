import type { Task } from '../../../engine/step.ts';
import type { Space } from '../../../impl/kernel/objects.ts';
import { ArmSmmuInvalidation, INV_TYPE, type CountedInv, type Inv } from '../../../impl/kernel/nested/index.ts';
import type { Command, TlbRange } from '../../../impl/kernel/index.ts';
import { VbtmGuest, type VbtmKernel } from '../../../impl/kernel/vbtm/index.ts';
import { STALE, TAG_IN_USE } from './expected.ts';
import type { BtmHazard } from './hazard.ts';

/** Leaves stage 2 of a machine whose VMID is KVM's to KVM. */
class LeftToKvm extends ArmSmmuInvalidation {
  declare protected readonly kernel: VbtmKernel;

  override *arm_smmu_domain_inv_range(domain: Space, range: TlbRange): Task {
    const set = yield* this.loadInvs(domain);
    const pinned = this.kernel.invs.named(set).some((inv) => isPinned(this.kernel, inv));
    if (!pinned) yield* super.arm_smmu_domain_inv_range(domain, range);
  }
}

/** Leaves what is nested on it to KVM, whose TLBI VMALLE1IS covers it. */
class ClearLeftToKvm extends ArmSmmuInvalidation {
  declare protected readonly kernel: VbtmKernel;

  protected override commandsFor(inv: Inv, range: TlbRange): readonly Command[] {
    if (inv.type === INV_TYPE.S2_VMID_S1_CLEAR && isPinned(this.kernel, inv)) return [];
    return super.commandsFor(inv, range);
  }
}

/** Leaves the entries of a VMID of KVM's behind. */
class PinnedKept extends ArmSmmuInvalidation {
  declare protected readonly kernel: VbtmKernel;

  override *arm_smmu_inv_flush_iotlb_tag(inv: Inv): Task {
    if (!isPinned(this.kernel, inv)) yield* super.arm_smmu_inv_flush_iotlb_tag(inv);
  }
}

/** Believes that broadcasts reach its entries wherever the SMMU takes part. */
class AnyVmid extends VbtmGuest {
  override get hasBtm(): boolean {
    return this.kernel.nesting.design !== 'off';
  }

  override get privateAsids(): boolean {
    return !this.hasBtm;
  }
}

/** Believes that its SMMU takes part although the physical one does not. */
class Always extends VbtmGuest {
  override get hasBtm(): boolean {
    return super.hasBtm || this.kernel.nesting.design === 'off';
  }

  override get privateAsids(): boolean {
    return !this.hasBtm;
  }
}

/** Keeps its context descriptors out of the broadcasts that it relies on. */
class PrivateAsids extends VbtmGuest {
  override get privateAsids(): boolean {
    return true;
  }
}

/** Invalidates on its own CPU. */
class Local extends VbtmGuest {
  protected override get shareable(): boolean {
    return false;
  }
}

function isPinned({ nesting }: VbtmKernel, { type, id }: Inv | CountedInv): boolean {
  const stage2 = type === INV_TYPE.S2_VMID || type === INV_TYPE.S2_VMID_S1_CLEAR;
  return stage2 && nesting.design === 'pinned' && id <= nesting.kvmVmids;
}

const SEED = '"iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024';

/** Mistakes about what a broadcast does. */
export const BROADCAST_HAZARDS: readonly BtmHazard[] = [
  {
    id: 'btm-under-invalidation-s2',
    title: 'the driver leaves the invalidation of a virtual machine’s stage 2 to KVM’s broadcasts',
    citation: `${SEED}: "Assuming the KVM S2 and IOMMU S2 are shared is not true"`,
    story:
      'The VMID is the same, so the driver issues no commands. KVM’s tables are others: it broadcasts when it unmaps a page of its own, not when iommufd does.',
    expected: STALE,
    parts: { invalidation: LeftToKvm },
  },
  {
    id: 'btm-nested-clear-left-to-kvm',
    title: 'the driver leaves what is nested on a virtual machine’s stage 2 to KVM’s TLBI VMALLE1IS',
    citation: `${SEED}; __kvm_tlb_flush_vmid_ipa(), arch/arm64/kvm/hyp/nvhe/tlb.c: VMALLE1IS after IPAS2E1IS; IHI 0070 §4.4.3`,
    story:
      'CMD_TLBI_S2_IPA takes the stage 2 entry away and leaves the combined ones. KVM would broadcast for a page that it has mapped itself.',
    expected: STALE,
    parts: { invalidation: ClearLeftToKvm },
  },
  {
    id: 'pinned-vmid-kept-in-tlb',
    title: 'a stage 2 gives the VMID of its virtual machine back, and leaves its entries in the SMMU',
    citation:
      'arm_smmu_install_old_domain_invs(), Linux 7.x: any ASID or VMID that is in no set must be left cleared in the IOTLB',
    story:
      'KVM flushes when numbers are used again, thinks the driver. The machine keeps its number, and its next stage 2 finds what the last one has left.',
    expected: TAG_IN_USE,
    parts: { invalidation: PinnedKept },
  },
  {
    id: 'vbtm-wrong-vmid',
    title: 'a guest relies on broadcasts although its stage 2 has another VMID than it runs under',
    citation: `${SEED}: a VMID of its own "will break vSVA vBTM invalidation to the S1"`,
    story:
      'The guest is told that its SMMU takes part, and invalidates by TLBI alone. That is executed under KVM’s VMID, and the entries are under one of the driver’s.',
    expected: STALE,
    parts: { guest: AnyVmid },
  },
  {
    id: 'vbtm-ptm',
    title: 'a guest is offered broadcasts by a physical SMMU that ignores them',
    citation:
      'SMMU_CR2.PTM = 1 (IHI 0070 §6.3.12), arm_smmu_device_reset(); IDR0.BTM must not be shown to the guest then',
    story: 'The guest leaves out its commands, and nobody hears its TLBIs.',
    expected: STALE,
    parts: { guest: Always },
  },
  {
    id: 'vbtm-guest-aset',
    title: 'a guest relies on broadcasts for address spaces whose ASIDs it has made private',
    citation: 'CD.ASET = 1 (IHI 0070 §3.17, §5.4); arm_smmu_make_sva_cd(), Linux 6.9: ASET for all but shared ones',
    story: 'The entries of a private ASID need not be dropped by a TLBI that matches with an ASID.',
    expected: STALE,
    parts: { guest: PrivateAsids },
  },
  {
    id: 'vbtm-local-tlbi',
    title: 'a guest invalidates on its own CPU what its devices use',
    citation: 'IHI 0070 §3.17: broadcasts of the inner shareable domain are received; local maintenance never is',
    story: 'The address space has run on one CPU alone, so TLBI VALE1 and DSB NSH do for that. The SMMU hears nothing.',
    expected: STALE,
    parts: { guest: Local },
  },
];
