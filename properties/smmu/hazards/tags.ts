import { step, type Step, type Task } from '../../../engine/step.ts';
import type { EntryChange } from '../../../impl/kernel/index.ts';
import {
  ArmSmmuAttach,
  ArmSmmuInvalidation,
  attachedOf,
  INV_TYPE,
  type AttachedTo,
  type Commit,
  type Device,
  type Inv,
  vmidTag,
} from '../../../impl/kernel/nested/index.ts';
import { STALE, TAG_IN_USE } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Leaves what is cached under a VMID that nobody uses any more. */
class VmidKept extends ArmSmmuInvalidation {
  override *arm_smmu_inv_flush_iotlb_tag(inv: Inv): Task {
    if (inv.type !== INV_TYPE.S2_VMID) yield* super.arm_smmu_inv_flush_iotlb_tag(inv);
  }
}

/** Flushes a VMID that leaves a set by all of its IPAs, and nothing more. */
class NestedKept extends ArmSmmuInvalidation {
  override *arm_smmu_inv_flush_iotlb_tag(inv: Inv): Task {
    const { tlb, cmdq, nesting, stage2 } = this.kernel;
    if (inv.type === INV_TYPE.S2_VMID_S1_CLEAR) return;
    if (inv.type !== INV_TYPE.S2_VMID) return yield* super.arm_smmu_inv_flush_iotlb_tag(inv);
    const everything = { iova: 0, size: 2 ** nesting.ipaBits, granule: stage2.pageBytes, leaf: false };
    yield* cmdq.issueSync(tlb.arm_smmu_tlb_inv_range(vmidTag(inv.id), everything));
  }
}

/** Has nested stage 1 cleared only where a device is nested. */
class ClearPerAttachment extends ArmSmmuAttach {
  protected override arm_smmu_master_build_invs(device: Device, to: AttachedTo, ats: boolean): readonly Inv[] {
    const invs = super.arm_smmu_master_build_invs(device, to, ats);
    return to.kind === 'nested' ? invs : invs.filter(({ type }) => type !== INV_TYPE.S2_VMID_S1_CLEAR);
  }
}

/** Takes the device out of the old domain's set before the SMMU has changed over. */
class ForgottenEarly extends ArmSmmuAttach {
  protected override *arm_smmu_install_ste_for_dev(device: Device, change: EntryChange): Task {
    const old = attachedOf(yield* device.attached.load());
    const had = yield* device.atsEnabled.load();
    yield* super.arm_smmu_install_old_domain_invs(device, old, had === 1);
    yield* super.arm_smmu_install_ste_for_dev(device, change);
  }

  protected override *arm_smmu_install_old_domain_invs(device: Device): Task {
    yield* device.attached.load();
  }
}

/** Adds the device to the new domain's set when the SMMU has changed over. */
class PublishedLate extends ArmSmmuAttach {
  protected override arm_smmu_attach_prepare(device: Device, to: AttachedTo, change: EntryChange): Step<undefined> {
    return step(`attach ${device.master.name}`, () => {
      this.attachBegin(device, to, change);
      return undefined;
    });
  }

  protected override *arm_smmu_attach_commit(device: Device, change: Commit): Task {
    const domain = this.domainOf(change.to);
    if (domain !== undefined)
      yield* step(`${domain.name}.invs ∪= ${device.master.name}`, () => {
        this.publish(domain, this.arm_smmu_master_build_invs(device, change.to, change.ats));
        return undefined;
      });
    yield* super.arm_smmu_attach_commit(device, change);
  }
}

const OLD = 'arm_smmu_install_old_domain_invs(), Linux 7.x';

/** The VMID's entries stay. */
export const vmidFreeBeforeFlush: SmmuHazard = {
  id: 'vmid-free-before-flush',
  title: 'a VMID goes back to its allocator while the TLB still has entries of it',
  citation: `${OLD}: any ASID or VMID that is in no set must be left cleared in the IOTLB; arm_smmu_domain_free(), Linux 6.1`,
  story:
    'The last device leaves a stage 2 domain and nothing is flushed. The domain is freed, and the next virtual machine gets its VMID: its device hits the entries of the one before.',
  expected: TAG_IN_USE,
  parts: { invalidation: VmidKept },
};

/** Nested entries stay. */
export const nestedDetachKeepsNh: SmmuHazard = {
  id: 'nested-detach-keeps-nh',
  title: 'the last nested device leaves, and what nested stage 1 has cached stays',
  citation: `${OLD}: S2_VMID_S1_CLEAR is flushed like any other tag that leaves a set; IHI 0070 §4.4.3`,
  story:
    'When the last device leaves a nest parent, its VMID is flushed by all IPAs, which covers stage 2 alone. The set is empty now, so that unmaps invalidate nothing, and the next nested device hits the combined entries of the one before.',
  expected: TAG_IN_USE,
  parts: { invalidation: NestedKept },
};

/** Cleared where nested. */
export const s1ClearPerAttachment: SmmuHazard = {
  id: 's1-clear-per-attachment',
  title: 'nested stage 1 is cleared only if a device was nested when the set was read',
  citation:
    'arm_smmu_master_build_invs(), Linux 7.x: S2_VMID_S1_CLEAR for every device of a nest parent, nested or not; arm_smmu_tlb_inv_range_domain(), Linux 6.13: nest_parent',
  story:
    'unmap reads the set of a parent that one device uses for stage 2 alone. Another attach nests the device before the command is issued: a walk combines the stage 2 entry that is about to go, and CMD_TLBI_S2_IPA does not cover the combination.',
  expected: STALE,
  parts: { attach: ClearPerAttachment },
};

/** Out of the old set too early. */
export const smmuDetachInvsEarly: SmmuHazard = {
  id: 'smmu-detach-invs-early',
  title: 'a device leaves the old domain’s invalidation set before the SMMU has changed over',
  citation: `${OLD}, after arm_smmu_install_ste_for_dev(); arm_smmu_detach_dev(), Linux 6.1`,
  story:
    'The device still translates by the old domain when that no longer knows of it. An unmap in between invalidates nothing.',
  expected: TAG_IN_USE,
  parts: { attach: ForgottenEarly },
};

/** Into the new set too late. */
export const smmuAttachInvsLate: SmmuHazard = {
  id: 'smmu-attach-invs-late',
  title: 'a device is in the new domain’s invalidation set only after its stream table entry is live',
  citation: 'arm_smmu_attach_prepare(), arm_smmu_domain_inv_range(), Linux 7.x; list_add after the STE, Linux 6.1',
  story:
    'attach makes the device translate and then adds its tags to the set. An unmap in between finds nobody to invalidate for.',
  expected: STALE,
  parts: { attach: PublishedLate },
};
