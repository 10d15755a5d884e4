import { smp_mb } from '../../../engine/memory-order/barriers.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import type { AttachTarget } from '../../../model/contract/events.ts';
import { planEntryUpdate } from '../config-entry.ts';
import type { EntryChange } from '../config-writer.ts';
import { INV_TYPE, isAts, mergeInvs, unrefInvs, type Inv } from './invs.ts';
import type { NestedKernel } from './kernel.ts';
import { attachedCode, attachedOf, type AttachedTo, type Device, type PagingDomain } from './objects.ts';

/** Attach, detach and replace among blocked, bypass, stage 1, stage 2 and nested, with ATS (`arm_smmu_attach_dev()`). */
export class ArmSmmuAttach {
  protected readonly kernel: NestedKernel;

  constructor(kernel: NestedKernel) {
    this.kernel = kernel;
  }

  /**
   * `arm_smmu_attach_dev()`, `arm_smmu_attach_dev_nested()`, `arm_smmu_attach_dev_ste()`: the device translates by `to` on
   * return. Returns what it was attached to; undefined if that is the same, or if it is to be nested and the guest has no
   * name for it.
   */
  *attach_dev(device: Device, to: AttachedTo): Task<AttachedTo | undefined> {
    const { master, attached } = device;
    yield* master.group.lock();
    const old = yield* attached.load();
    if (old === attachedCode(to) || !(yield* this.arm_smmu_attach_prepare_vmaster(device, to))) {
      yield* master.group.unlock();
      return undefined;
    }
    yield* this.kernel.asidLock.lock();
    yield* this.attachLocked(device, old, to);
    yield* this.kernel.asidLock.unlock();
    yield* master.group.unlock();
    return attachedOf(old);
  }

  /** The order of an attach: published, ATS off if it is to be off, CD, STE, then ATS and what the old domain left. */
  protected *attachLocked(device: Device, old: number, to: AttachedTo): Task {
    const ats = this.wantsAts(device, to);
    const change = this.steOf(device, to, ats);
    yield* this.arm_smmu_attach_prepare(device, to, change);
    const had = yield* device.atsEnabled.load();
    if (had === 1 && !ats) yield* this.kernel.ats.pci_disable_ats(device);
    yield* this.arm_smmu_install_ctx_desc(device, to);
    yield* this.arm_smmu_install_ste_for_dev(device, change);
    yield* this.arm_smmu_attach_commit(device, { old, to, ats, had: had === 1 });
  }

  /**
   * `arm_smmu_attach_prepare_vmaster()`: a nested device must have a virtual StreamID, or the guest could not invalidate
   * what the SMMU keeps of it.
   */
  protected *arm_smmu_attach_prepare_vmaster(device: Device, to: AttachedTo): Task<boolean> {
    if (to.kind !== 'nested') return true;
    return yield* step(`iommufd_viommu_get_vdev_id(${device.master.name})`, () => device.vsid.value !== 0);
  }

  /**
   * `arm_smmu_attach_prepare()`: the set of the new domain has the device's entries before the device can walk its tables;
   * the old domain's set keeps them. Emits `attach.begin`.
   */
  protected arm_smmu_attach_prepare(device: Device, to: AttachedTo, change: EntryChange): Step<undefined> {
    const domain = this.domainOf(to);
    const label =
      domain === undefined ? `attach ${device.master.name}` : `${domain.name}.invs ∪= ${device.master.name}`;
    return step(label, () => {
      this.attachBegin(device, to, change);
      if (domain !== undefined)
        this.publish(domain, this.arm_smmu_master_build_invs(device, to, this.wantsAts(device, to)));
      smp_mb(this.kernel.machine);
      return undefined;
    });
  }

  /**
   * `arm_smmu_master_build_invs()`: what has to hear of changes of a domain because of this device. A nest parent has what
   * nesting needs for every device: one that is nested next may combine what another one has left in the TLB by then, and
   * an unmap under way would not know. Inside a step.
   */
  protected arm_smmu_master_build_invs(device: Device, to: AttachedTo, ats: boolean): readonly Inv[] {
    const domain = this.domainOf(to);
    if (domain === undefined) return [];
    const vmid = { id: domain.vmid.value, ssid: 0 };
    const invs: Inv[] = [];
    if (to.kind === 'stage 1') invs.push({ type: INV_TYPE.S1_ASID, id: domain.asid.value, ssid: 0 });
    else invs.push({ type: INV_TYPE.S2_VMID, ...vmid });
    const nesting = this.isNestParent(domain);
    if (nesting) invs.push({ type: INV_TYPE.S2_VMID_S1_CLEAR, ...vmid });
    if (ats) invs.push({ type: nesting ? INV_TYPE.ATS_FULL : INV_TYPE.ATS, id: device.master.streamId, ssid: 0 });
    return invs;
  }

  /** Writes the context descriptor, for a stage 1 domain. */
  protected *arm_smmu_install_ctx_desc(device: Device, to: AttachedTo): Task {
    if (to.kind !== 'stage 1') return;
    const { configWriter, paging } = this.kernel;
    const domain = paging.at(to.handle);
    const asid = yield* domain.asid.load();
    const change = configWriter.spaceCd(domain, asid, true);
    yield* configWriter.arm_smmu_write_entry(configWriter.cd(device.master, 0), change);
  }

  /** `arm_smmu_install_ste_for_dev()`. */
  protected *arm_smmu_install_ste_for_dev(device: Device, change: EntryChange): Task {
    const { configWriter } = this.kernel;
    yield* configWriter.arm_smmu_write_entry(configWriter.ste(device.master), change);
  }

  /**
   * `arm_smmu_attach_commit()`: the SMMU translates by the new domain. ATS goes on last; if it was on, the device's cache
   * has what the old domain gave it, and both domains' sets still have the device.
   */
  protected *arm_smmu_attach_commit(device: Device, change: Commit): Task {
    const { old, to, ats, had } = change;
    if (ats && !had) yield* this.kernel.ats.arm_smmu_enable_ats(device);
    else if (ats) yield* this.kernel.ats.arm_smmu_atc_inv_master(device);
    yield* step(`attached ${device.master.name}`, () => {
      this.attachEnd(device, to);
      return undefined;
    });
    yield* this.clearOldCd(device, attachedOf(old), to);
    yield* this.arm_smmu_install_old_domain_invs(device, attachedOf(old), had);
    yield* this.setAttached(device, to);
  }

  /** The last step of an attach. */
  protected setAttached(device: Device, to: AttachedTo): Step<undefined> {
    const code = attachedCode(to);
    const what = 'handle' in to ? `${to.kind} ${to.handle - 1}` : to.kind;
    return step(`${device.attached.name} := ${what}`, () => {
      device.attached.value = code;
      return undefined;
    });
  }

  /** `arm_smmu_clear_cd()`: nothing leads to the context descriptor any more. */
  protected *clearOldCd(device: Device, old: AttachedTo, to: AttachedTo): Task {
    if (old.kind !== 'stage 1' || to.kind === 'stage 1') return;
    const { configWriter } = this.kernel;
    yield* configWriter.arm_smmu_write_entry(configWriter.cd(device.master, 0), configWriter.noCd());
  }

  /**
   * `arm_smmu_install_old_domain_invs()`: the old domain's set loses the device's entries. A tag that nobody uses any more
   * is in no set from now on, so nothing of it may be left in the TLB.
   */
  protected *arm_smmu_install_old_domain_invs(device: Device, old: AttachedTo, had: boolean): Task {
    const domain = this.domainOf(old);
    if (domain === undefined) return;
    const { invs } = this.kernel;
    const drop = () => unrefInvs(invs.at(domain.invs.value), this.arm_smmu_master_build_invs(device, old, had));
    const tags = yield* step(
      `load ${domain.invs.name}`,
      () => codeOf(drop().unused),
      () => undefined,
    );
    for (const tag of tagsOf(tags)) yield* this.kernel.invalidation.arm_smmu_inv_flush_iotlb_tag(tag);
    yield* step(`${domain.name}.invs ∖= ${device.master.name}`, () => {
      domain.invs.value = invs.numberOf(drop().left);
      return undefined;
    });
  }

  /** Adds entries to a set, by one store. Inside a step. */
  protected publish(domain: PagingDomain, entries: readonly Inv[]): void {
    const { invs } = this.kernel;
    domain.invs.value = invs.numberOf(mergeInvs(invs.at(domain.invs.value), entries));
  }

  /** The stream table entry for what the device is to be attached to. */
  protected steOf(device: Device, to: AttachedTo, ats: boolean): EntryChange {
    const { entries, paging, nested, parent } = this.kernel;
    switch (to.kind) {
      case 'blocked':
        return entries.abort();
      case 'bypass':
        return entries.bypass();
      case 'stage 1':
        return entries.cdTable(device, ats);
      case 'stage 2':
        return entries.stage2(paging.at(to.handle), ats);
      case 'nested':
        return entries.nested(nested.at(to.handle), parent, ats);
    }
  }

  /** Whether ATS is to be on: the device has it, and what it is attached to translates (and its guest wants it). */
  protected wantsAts({ index }: Device, to: AttachedTo): boolean {
    if (this.kernel.nesting.ats[index] !== true) return false;
    return to.kind === 'stage 1' || to.kind === 'stage 2' || (to.kind === 'nested' && to.ats);
  }

  /** `nest_parent`: guests' tables may be on top of it. */
  protected isNestParent(domain: PagingDomain): boolean {
    return domain.handle === this.kernel.parent.handle && this.kernel.nesting.oneStage !== true;
  }

  /** The paging domain whose tables are walked, if there is one. */
  protected domainOf(to: AttachedTo): PagingDomain | undefined {
    if (to.kind === 'stage 1' || to.kind === 'stage 2') return this.kernel.paging.at(to.handle);
    return to.kind === 'nested' ? this.kernel.parent : undefined;
  }

  /** Emits `attach.begin`, inside a step. Nothing is refused meanwhile if the entry is never invalid on the way. */
  protected attachBegin(device: Device, to: AttachedTo, change: EntryChange): void {
    const { configWriter, memory } = this.kernel;
    const ste = configWriter.ste(device.master);
    const current = memory.readWords(ste.pa, 8);
    const { breaking } = planEntryUpdate(current, change.target(current), ste.used, ste.safe);
    const stream = device.master.streamId;
    this.kernel.emit({ type: 'attach.begin', stream, substream: 0, to: this.targetOf(device, to), hitless: !breaking });
  }

  /** Emits `attach.end`, inside a step. */
  protected attachEnd(device: Device, to: AttachedTo): void {
    const { nested, viommu } = this.kernel;
    const byGuest = to.kind === 'nested' && viommu.asked(nested.at(to.handle)) === 'stage 1';
    device.translatesForGuest.value = byGuest ? 1 : 0;
    this.kernel.emit({ type: 'attach.end', stream: device.master.streamId, substream: 0 });
  }

  /** What the contract calls the target: the guest's address space behind a nested domain, or what the guest left out. */
  protected targetOf(device: Device, to: AttachedTo): AttachTarget {
    const { paging, nested, viommu, guest, parent } = this.kernel;
    switch (to.kind) {
      case 'blocked':
      case 'bypass':
        return to.kind;
      case 'stage 1':
      case 'stage 2':
        return paging.at(to.handle).id.value;
      case 'nested': {
        const config = viommu.asked(nested.at(to.handle));
        if (config === 'stage 1') return guest.spaceOf(device).id.value;
        return config === 'bypass' ? parent.id.value : 'blocked';
      }
    }
  }
}

/** What an attach is about to finish. */
export interface Commit {
  /** Code of what the device was attached to. */
  readonly old: number;
  readonly to: AttachedTo;
  /** ATS is to be on. */
  readonly ats: boolean;
  /** ATS was on. */
  readonly had: boolean;
}

/** Bits of a tag in a code, below its type. */
const TAG_BITS = 8;

/** The tags among some entries, as one number: a set of types, and the ASID or VMID that they share. */
function codeOf(entries: readonly Inv[]): number {
  return entries.filter((inv) => !isAts(inv)).reduce((code, { type, id }) => code | (1 << (TAG_BITS + type)) | id, 0);
}

/** The tags of a code, in the order of a set. */
function tagsOf(code: number): Inv[] {
  const id = code & (2 ** TAG_BITS - 1);
  const types = [INV_TYPE.S1_ASID, INV_TYPE.S2_VMID, INV_TYPE.S2_VMID_S1_CLEAR];
  return types.filter((type) => ((code >>> (TAG_BITS + type)) & 1) === 1).map((type) => ({ type, id, ssid: 0 }));
}
