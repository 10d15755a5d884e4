import type { Task } from '../../../engine/step.ts';
import type { Machine } from '../../../engine/machine.ts';
import { KvmVmid, type KvmHyp, type VmidLayout, type VmidObserver } from '../../../impl/kernel/kvm/index.ts';
import type { PagingDomain } from '../../../impl/kernel/nested/index.ts';
import { VbtmDomains } from '../../../impl/kernel/vbtm/index.ts';
import { ALIASED, OVERLAPPING, UNPINNED } from './expected.ts';
import type { BtmHazard } from './hazard.ts';

/** Beside pinned VMIDs, private ones from the whole range. */
class TwoAllocators extends VbtmDomains {
  protected override allocVmid(domain: PagingDomain): number {
    return this.kernel.nesting.design === 'pinned'
      ? this.kernel.vmids.alloc(domain.handle, 1)
      : super.allocVmid(domain);
  }
}

/** Private VMIDs from the whole range, in a design that has no pinned ones. */
class NoCoordination extends VbtmDomains {
  protected override allocVmid(domain: PagingDomain): number {
    return this.kernel.nesting.design === 'disjoint'
      ? this.kernel.vmids.alloc(domain.handle, 1)
      : super.allocVmid(domain);
  }
}

/** KVM gives out one number more than it said. */
class OneMore extends KvmVmid {
  constructor(machine: Machine, hyp: KvmHyp, layout: VmidLayout, observer: VmidObserver) {
    super(machine, hyp, { ...layout, vmids: layout.vmids + 1 }, observer);
  }

  protected override maxPinned(): number {
    return super.maxPinned() - 1;
  }
}

/** Takes the VMID over without a pin. */
class NeverPinned extends VbtmDomains {
  protected override *finaliseWithKvm(domain: PagingDomain, machine: number): Task<boolean> {
    const { kvm } = this.kernel;
    const vmid = yield* kvm.kvm_arm_pinned_vmid_get(machine);
    if (vmid === 0) return false;
    yield* kvm.kvm_arm_pinned_vmid_put(machine);
    yield* this.takeVmid(domain, vmid);
    return true;
  }

  override *freeTag(domain: PagingDomain): Task {
    const machine = yield* this.machineOf(domain);
    if (machine < 0) yield* super.freeTag(domain);
    else {
      yield* this.dropVmid(domain);
      yield* this.kernel.kvm.kvm_put_kvm(machine);
    }
  }
}

/** A roll-over takes pinned VMIDs for free. */
class ForgetsPinned extends KvmVmid {
  protected override pinnedBits(): number {
    return 0;
  }
}

const SEED = '"iommu/arm-smmu-v3: Use pinned KVM VMID for stage 2", 2024';

/** Mistakes about who gives VMIDs out. */
export const VMID_HAZARDS: readonly BtmHazard[] = [
  {
    id: 'pinned-vmid-alias-private',
    title: 'the SMMU has VMIDs of two allocators: pinned ones of KVM, and private ones of the driver',
    citation:
      'review of "iommu/arm-smmu-v3: Use pinned VMID for NESTED stage with BTM", 2021: "restrict the SMMU VMID bitmap to match the private VMID set in KVM"',
    story:
      'The driver gives a private stage 2 the lowest number that it has not given out, and KVM has pinned that for a virtual machine. The device of one hits the entries of the other.',
    expected: ALIASED,
    parts: { domains: TwoAllocators },
  },
  {
    id: 'btm-over-invalidation-s2',
    title: 'private VMIDs of the SMMU are numbers that KVM uses for other virtual machines',
    citation: `${SEED}: VMID allocation has to be coordinated with KVM, since stage 2 has no ASET (IHI 0070 §3.17)`,
    story:
      'KVM unmaps a page of a virtual machine by TLBI IPAS2E1IS and VMALLE1IS. The SMMU hears them, and drops what a stage 2 under the same number needs that has nothing to do with the machine.',
    expected: OVERLAPPING,
    parts: { domains: NoCoordination },
  },
  {
    id: 'private-vmid-range-off-by-one',
    title: 'the VMIDs of KVM end with the first one of the driver’s',
    citation: `${SEED}: ranges of VMIDs that do not overlap; NUM_USER_VMIDS, arch/arm64/kvm/vmid.c`,
    story: 'One number is in both ranges. It is given out twice when KVM comes to the end of its own.',
    expected: OVERLAPPING,
    parts: { vmid: OneMore },
  },
  {
    id: 'vmid-used-unpinned',
    title: 'a stage 2 has the VMID of its virtual machine, which is not pinned',
    citation: `kvm_arm_pinned_vmid_get(), "KVM: arm64: Introduce support to pin VMIDs", 2024; ${SEED}`,
    story:
      'The driver reads the VMID and writes it to the stream table entry. The machine does not run when a generation ends, and its number goes to another one.',
    expected: UNPINNED,
    parts: { domains: NeverPinned },
  },
  {
    id: 'btm-rollover-ignores-pinned',
    title: 'a roll-over clears vmid_map without the VMIDs that devices use',
    citation:
      'flush_context(), "KVM: arm64: Introduce support to pin VMIDs", 2024: bitmap_copy(vmid_map, pinned_vmid_map)',
    story: 'A new generation gives the number of a machine whose devices use it to another machine.',
    expected: UNPINNED,
    parts: { vmid: ForgetsPinned },
  },
];
