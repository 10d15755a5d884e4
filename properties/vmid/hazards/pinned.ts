import { step, type Task } from '../../../engine/step.ts';
import { KvmVmid, type Kvm, type VmidId } from '../../../impl/kernel/kvm/index.ts';
import { VmidDevices } from '../devices.ts';
import { LEAKED, LOST, PINNED_CHANGED, SHARED, UNPINNED, type VmidHazard } from './hazard.ts';

class ForgetsPinned extends KvmVmid {
  protected override pinnedBits(): number {
    return 0;
  }
}

class PinnedFirst extends KvmVmid {
  protected override keep(kvm: Kvm, id: VmidId, renewed: VmidId): VmidId {
    return kvm.pinned.value === 0 ? super.keep(kvm, id, renewed) : renewed;
  }
}

class PinnedNotKept extends KvmVmid {
  protected override keep(kvm: Kvm, id: VmidId, renewed: VmidId): VmidId {
    const pinned = kvm.pinned.value;
    kvm.pinned.value = 0;
    const kept = super.keep(kvm, id, renewed);
    kvm.pinned.value = pinned;
    return kept;
  }
}

class PinnedNotStored extends KvmVmid {
  protected override *renew(cpu: number, kvm: Kvm, id: VmidId): Task<VmidId> {
    const kept = yield* this.keepStep(kvm, id);
    const isReserved = yield* step('reserved?', () => this.reserved.some((cell) => cell.value === kept));
    const vmid = kept === 0 ? yield* this.allocate(cpu) : kept;
    const isPinned = yield* step('pinned?', () => kvm.pinned.value !== 0);
    if (kept === 0 || isReserved || !isPinned) yield* kvm.storeId(vmid);
    return vmid;
  }
}

class PinsWhatIsThere extends KvmVmid {
  protected override *pinNew(cpu: number, kvm: Kvm, id: VmidId): Task<VmidId> {
    return yield* id === 0 ? super.pinNew(cpu, kvm, id) : this.pinNow(kvm, id);
  }
}

class NoLimit extends KvmVmid {
  protected override maxPinned(): number {
    return this.layout.vmids;
  }
}

class EveryPutUnpins extends KvmVmid {
  protected override lookAtPins(kvm: Kvm): 'pinned' | 'no' | 'new' {
    const found = super.lookAtPins(kvm);
    if (found === 'pinned') kvm.pinned.value = 1;
    return found;
  }
}

class NeverUnpins extends KvmVmid {
  protected override unpin(): void {
    // The count goes down with the next boot.
  }
}

class UnpinsFromMap extends KvmVmid {
  protected override unpin(vmid: number): void {
    super.unpin(vmid);
    this.map.clear(vmid);
    this.cursor.value = Math.min(this.cursor.value, vmid);
  }
}

class UnpinsEarly extends VmidDevices {
  protected override beginDetach(): void {
    // The domain is invalidated after the pin is given up.
  }

  protected override *drop(vm: number): Task {
    yield* step('invalidate the domain', () => {
      super.beginDetach(vm);
      return undefined;
    });
    yield* super.drop(vm);
  }
}

const SERIES = '"KVM: arm64: Introduce support to pin VMIDs" (series "Use pinned KVM VMID for stage 2", 2021 and 2024)';

/** Mistakes about VMIDs that devices use. */
export const PINNED_HAZARDS: readonly VmidHazard[] = [
  {
    id: 'vmid-rollover-ignores-pinned',
    title: 'a roll-over clears vmid_map without the pinned VMIDs',
    citation: `flush_context(), ${SERIES}: bitmap_copy(vmid_map, pinned_vmid_map)`,
    story: 'The machine that devices use does not run at the roll-over, and its VMID goes to another one.',
    expected: UNPINNED,
    parts: { vmid: ForgetsPinned },
  },
  {
    id: 'vmid-pinned-not-kept',
    title: 'new_vmid() does not look whether the VMID is pinned',
    citation: `new_vmid(), "If it is pinned, we can keep using it", ${SERIES}`,
    story: 'The bit of the pinned VMID is taken after a roll-over, by the machine itself; it gets another one.',
    expected: [PINNED_CHANGED, ...UNPINNED],
    parts: { vmid: PinnedNotKept },
  },
  {
    id: 'vmid-pinned-before-reserved',
    title: 'new_vmid() looks at the pin before it looks at the reserved VMIDs',
    citation: `new_vmid(), "reserved takes priority, because even if it is also pinned, we need to update the generation into the reserved_vmids", ${SERIES}`,
    story:
      'The machine runs on a CPU that does not update, reserved under an old generation. When it is unpinned, the next roll-over keeps the old id, the machine is not found under it, and gets another VMID.',
    expected: [LOST, ...UNPINNED],
    parts: { vmid: PinnedFirst },
  },
  {
    id: 'vmid-pinned-id-not-stored',
    title: 'the id of a pinned machine does not get the new generation',
    citation:
      'new_vmid(), "KVM: arm64: Introduce support to pin VMIDs", 2024: "if (refcount_read(&kvm_vmid->pinned)) return newvmid" without the atomic64_set() that the other ways out have (in 2021 the callers stored the id)',
    story:
      'What is active, and then reserved, is the VMID of the new generation; the id of the machine stays behind. Once unpinned, the machine is not found among the reserved ones, and gets another VMID than the one it runs under.',
    expected: [LOST, ...UNPINNED],
    parts: { vmid: PinnedNotStored },
  },
  {
    id: 'vmid-pinned-out-of-date',
    title: 'the VMID that is pinned may be of an old generation',
    citation: `kvm_arm_pinned_vmid_get(), "make sure it is still valid, or generate a new one", ${SERIES}`,
    story: 'A roll-over has given the VMID to another machine since this one ran: the device gets what is another’s.',
    expected: UNPINNED,
    parts: { vmid: PinsWhatIsThere },
  },
  {
    id: 'vmid-pinned-exhaustion',
    title: 'as many VMIDs are pinned as there are',
    citation: `max_pinned_vmids, "Ensure we have at least one empty slot available after rollover", ${SERIES}`,
    story:
      'With a reserved VMID for each CPU and the pinned ones none is left: the one taken is behind the end of the map.',
    expected: [{ monitor: 'tags', rule: 'no-free-vmid' }, ...UNPINNED],
    parts: { vmid: NoLimit },
  },
  {
    id: 'vmid-pin-not-counted',
    title: 'a second device does not count',
    citation: `kvm_arm_pinned_vmid_get(): refcount_inc_not_zero(&kvm_vmid->pinned), ${SERIES}`,
    story: 'The first device that goes takes the pin of the other with it.',
    expected: [...UNPINNED, LEAKED],
    parts: { vmid: EveryPutUnpins },
  },
  {
    id: 'vmid-unpin-keeps-bit',
    title: 'a VMID that no device uses any more counts as pinned',
    citation: `kvm_arm_pinned_vmid_put(): clear_bit() in pinned_vmid_map and nr_pinned_vmids-- with the last reference, ${SERIES}`,
    story:
      'Nothing is wrong with any VMID, but after as many devices as may be there, no domain can have the VMID of a machine.',
    expected: [LEAKED],
    parts: { vmid: NeverUnpins },
  },
  {
    id: 'vmid-unpin-frees',
    title: 'a VMID is free as soon as it is not pinned any more',
    citation: `kvm_arm_pinned_vmid_put() clears the bit in pinned_vmid_map alone, ${SERIES}`,
    story: 'The machine has it still, and may run under it.',
    expected: [SHARED, ...UNPINNED],
    parts: { vmid: UnpinsFromMap },
  },
  {
    id: 'vmid-unpin-early',
    title: 'the pin is given up before the domain of the device is invalidated',
    citation: 'arm_smmu_domain_free(), "iommu/arm-smmu-v3: Use KVM VMID for s2 stage", 2024: the TLB is flushed first',
    story: 'A roll-over in between gives the VMID to another machine, whose entries are the device’s then.',
    expected: UNPINNED,
    parts: { devices: UnpinsEarly },
  },
];
