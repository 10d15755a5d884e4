import { step, type Step, type Task } from '../../../engine/step.ts';
import type { Machine } from '../../../engine/machine.ts';
import { KvmVmid, type KvmHyp, type VmidLayout, type VmidObserver } from '../../../impl/kernel/kvm/index.ts';
import type { PagingDomain } from '../../../impl/kernel/nested/index.ts';
import { CACHE, DeviceProbe, VbtmDomains, type Design } from '../../../impl/kernel/vbtm/index.ts';
import { ALIASED, IN_BOTH_RANGES, OVERLAPPING, STALE, UNPINNED } from './expected.ts';
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

/** Reads the VMID before it is pinned. */
class ReadFirst extends VbtmDomains {
  protected override *finaliseWithKvm(domain: PagingDomain, machine: number): Task<boolean> {
    if (!(yield* this.claim(domain, machine))) return false;
    const { kvm } = this.kernel;
    const read = yield* step(`load ${kvm.nameOf(machine)}.vmid.id`, () => kvm.vmidOf(machine));
    const vmid = yield* kvm.kvm_arm_pinned_vmid_get(machine);
    if (vmid === 0) {
      yield* this.unclaim(machine);
      return false;
    }
    yield* this.takeVmid(domain, read === 0 ? vmid : read);
    return true;
  }
}

/** As many stage 2 domains of one machine as are asked for. */
class SecondStage2 extends VbtmDomains {
  protected override claim(domain: PagingDomain, machine: number): Step<boolean> {
    return step(`${domain.name} is of ${this.kernel.kvm.nameOf(machine)}`, () => true);
  }

  protected override dropVmid(domain: PagingDomain): Step<undefined> {
    return step(`drop VMID of ${domain.name}`, () => {
      const { vmid, id } = domain;
      this.kernel.emit({ type: 'tag.release', kind: 'vmid', tag: vmid.value, space: id.value, cache: CACHE.SMMU });
      return undefined;
    });
  }
}

/** Takes part in broadcasts where private address spaces are of stage 2. */
class WithoutStage1 extends DeviceProbe {
  override design(wanted: Design, stage1: boolean, fits: boolean): Design {
    return stage1 ? super.design(wanted, stage1, fits) : 'private';
  }
}

/** Thinks that whatever KVM gives out is a VMID of the SMMU. */
class AnyWidth extends DeviceProbe {
  override design(wanted: Design, stage1: boolean): Design {
    return super.design(wanted, stage1, true);
  }
}

/** Takes the VMID over without a pin. */
class NeverPinned extends VbtmDomains {
  protected override *finaliseWithKvm(domain: PagingDomain, machine: number): Task<boolean> {
    if (!(yield* this.claim(domain, machine))) return false;
    const { kvm } = this.kernel;
    const vmid = yield* kvm.kvm_arm_pinned_vmid_get(machine);
    if (vmid !== 0) yield* kvm.kvm_arm_pinned_vmid_put(machine);
    else yield* this.unclaim(machine);
    if (vmid === 0) return false;
    yield* this.takeVmid(domain, vmid);
    return true;
  }

  override *freeTag(domain: PagingDomain): Task {
    const machine = yield* this.machineOf(domain);
    if (machine < 0) yield* super.freeTag(domain);
    else {
      yield* this.dropVmid(domain);
      yield* this.unclaim(machine);
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
    expected: IN_BOTH_RANGES,
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
    id: 'vmid-read-before-pin',
    title: 'a stage 2 gets the VMID that its virtual machine had before it was pinned',
    citation: `kvm_arm_pinned_vmid_get(), "KVM: arm64: Introduce support to pin VMIDs", 2024: it returns the VMID, which it may have to allocate`,
    story:
      'The machine has not run since the last roll-over. Its old number is read, then another one is pinned: the devices have a number that is somebody else’s.',
    expected: UNPINNED,
    parts: { domains: ReadFirst },
  },
  {
    id: 'pinned-vmid-two-stage2',
    title: 'two stage 2 domains of one virtual machine have its VMID in one SMMU',
    citation: `${SEED}: the VMID belongs to the machine, not to the domain; later proposals have one for each virtual SMMU; IHI 0070 §3.17`,
    story:
      'iommufd makes a second stage 2 for devices of the machine that are to reach less. A TLB entry of the first answers for the second.',
    expected: [{ monitor: 'translation', rule: 'wrong-address-space' }, ...STALE],
    parts: { domains: SecondStage2 },
  },
  {
    id: 'btm-without-stage1',
    title: 'an SMMU without stage 1 takes part in broadcasts',
    citation: `${SEED}: BTM only if the SMMU supports stage 1; ARM_SMMU_FEAT_TRANS_S1, arm_smmu_device_hw_probe()`,
    story:
      'Private address spaces fall back to stage 2, which cannot opt out of broadcasts. What KVM unmaps costs them their entries.',
    expected: OVERLAPPING,
    parts: { probe: WithoutStage1 },
  },
  {
    id: 'pinned-vmid-width',
    title: 'the SMMU has VMIDs of 8 bits, and KVM pins one of 16',
    citation: `IDR0.VMID16 (IHI 0070 §3.17, §6.3.1), arm_smmu_device_hw_probe(): vmid_bits; kvm_get_vmid_bits(); ${SEED}`,
    story:
      'All goes well for the first machines. One gets a number that the SMMU has not: its stream table entry is not valid, and its devices are refused.',
    expected: [
      { monitor: 'translation', rule: 'spurious-abort' },
      { monitor: 'smmu', rule: 'command-error' },
      ...UNPINNED,
    ],
    parts: { probe: AnyWidth },
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
