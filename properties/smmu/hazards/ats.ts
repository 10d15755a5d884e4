import { step, type Step, type Task } from '../../../engine/step.ts';
import type { EntryChange } from '../../../impl/kernel/index.ts';
import {
  ArmSmmuAts,
  ArmSmmuAttach,
  attachedOf,
  INV_TYPE,
  isAts,
  type AttachedTo,
  type Commit,
  type Device,
  type Inv,
} from '../../../impl/kernel/nested/index.ts';
import { STALE, WRONG_CONFIGURATION } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Adds the device's cache to the invalidation set when ATS is on already. */
class AtsPublishedLate extends ArmSmmuAttach {
  protected override arm_smmu_attach_prepare(device: Device, to: AttachedTo, change: EntryChange): Step<undefined> {
    const domain = this.domainOf(to);
    return step(`attach ${device.master.name}`, () => {
      this.attachBegin(device, to, change);
      const tags = this.arm_smmu_master_build_invs(device, to, false);
      if (domain !== undefined) this.publish(domain, tags);
      return undefined;
    });
  }

  protected override *arm_smmu_attach_commit(device: Device, change: Commit): Task {
    const { to, ats, had, old } = change;
    const domain = this.domainOf(to);
    if (ats && !had) yield* this.kernel.ats.arm_smmu_enable_ats(device);
    if (domain !== undefined)
      yield* step(`${domain.name}.invs ∪= ATS of ${device.master.name}`, () => {
        this.publish(domain, this.arm_smmu_master_build_invs(device, to, ats).filter(isAts));
        return undefined;
      });
    yield* super.arm_smmu_attach_commit(device, { old, to, ats, had: had || ats });
  }

  protected override *arm_smmu_install_old_domain_invs(device: Device, old: AttachedTo): Task {
    const had = old.kind !== 'blocked' && old.kind !== 'bypass' && this.wantsAts(device, old);
    yield* super.arm_smmu_install_old_domain_invs(device, old, had);
  }
}

/** Changes over without emptying the device's cache. */
class NoFlushOnReplace extends ArmSmmuAttach {
  protected override *arm_smmu_attach_commit(device: Device, change: Commit): Task {
    const { old, to, ats, had } = change;
    if (ats && !had) yield* this.kernel.ats.arm_smmu_enable_ats(device);
    yield* step(`attached ${device.master.name}`, () => {
      this.attachEnd(device, to);
      return undefined;
    });
    yield* this.clearOldCd(device, attachedOf(old), to);
    yield* this.arm_smmu_install_old_domain_invs(device, attachedOf(old), had);
    yield* this.setAttached(device, to);
  }
}

/** Switches ATS on with whatever the cache has from earlier. */
class NoFlushOnEnable extends ArmSmmuAts {
  override *arm_smmu_enable_ats(device: Device): Task {
    yield* this.pciAts(device, true);
  }
}

/** Empties the cache when ATS is on again: between the two the device uses it. */
class FlushAfterEnable extends ArmSmmuAts {
  override *arm_smmu_enable_ats(device: Device): Task {
    yield* this.pciAts(device, true);
    yield* this.arm_smmu_atc_inv_master(device);
  }
}

/** Switches ATS off when the SMMU refuses it already. */
class DisabledLate extends ArmSmmuAttach {
  protected override *attachLocked(device: Device, old: number, to: AttachedTo): Task {
    const ats = this.wantsAts(device, to);
    const change = this.steOf(device, to, ats);
    yield* this.arm_smmu_attach_prepare(device, to, change);
    const had = yield* device.atsEnabled.load();
    yield* this.arm_smmu_install_ctx_desc(device, to);
    yield* this.arm_smmu_install_ste_for_dev(device, change);
    if (had === 1 && !ats) yield* this.kernel.ats.pci_disable_ats(device);
    yield* this.arm_smmu_attach_commit(device, { old, to, ats, had: had === 1 });
  }
}

/** Invalidates a nested device's cache by the range of stage 2. */
class NestedByRange extends ArmSmmuAttach {
  protected override arm_smmu_master_build_invs(device: Device, to: AttachedTo, ats: boolean): readonly Inv[] {
    return super
      .arm_smmu_master_build_invs(device, to, ats)
      .map((inv) => (inv.type === INV_TYPE.ATS_FULL ? { ...inv, type: INV_TYPE.ATS } : inv));
  }
}

/** Takes the number of pages of a range for the span that holds it. */
class SpanBySize extends ArmSmmuAts {
  protected override log2Span(first: number, last: number): number {
    return Math.ceil(Math.log2(last - first + 1));
  }
}

const COMMIT = 'arm_smmu_attach_commit(), Linux 6.12 and later';

/** Published late. */
export const smmuAtsPublishLate: SmmuHazard = {
  id: 'smmu-ats-publish-late',
  title: 'ATS is enabled before the device’s cache is in the invalidation set',
  citation:
    'arm_smmu_attach_prepare(), Linux 6.12; "iommu/arm-smmu-v3: Add device to list before ats is enabled", review of 2019',
  story:
    'attach switches ATS on and then tells the domain of it. An unmap in between invalidates the TLB and knows of no device cache, which keeps what it has just been given.',
  expected: STALE,
  parts: { attach: AtsPublishedLate },
};

/** Not flushed at replace. */
export const smmuAtcNotFlushedOnReplace: SmmuHazard = {
  id: 'smmu-atc-not-flushed-on-replace',
  title: 'a device changes from one domain to another and keeps what its cache holds',
  citation: `${COMMIT}: "The translation has changed, flush the ATC"`,
  story:
    'ATS stays on while the stream table entry changes to another domain. The device’s cache still has the old domain’s translations, and the old domain no longer knows of the device.',
  expected: STALE,
  parts: { attach: NoFlushOnReplace },
};

/** Not flushed before it is on. */
export const smmuAtsEnableNoFlush: SmmuHazard = {
  id: 'smmu-ats-enable-no-flush',
  title: 'ATS is enabled with a cache that nobody emptied',
  citation: 'arm_smmu_enable_ats(), Linux 5.2 and later: arm_smmu_atc_inv_master() first; IHI 0070 §3.9.2',
  story:
    'A device was detached, which switched ATS off but left its cache. At the next attach ATS is switched on, and the device uses the translations of the domain that it has left.',
  expected: STALE,
  parts: { ats: NoFlushOnEnable },
};

/** Flushed when it is on. */
export const smmuAtsFlushAfterEnable: SmmuHazard = {
  id: 'smmu-ats-flush-after-enable',
  title: 'a device’s cache is emptied only when ATS is on again',
  citation: 'arm_smmu_enable_ats(), Linux 5.2 and later: arm_smmu_atc_inv_master() first; PCIe ATS §10.3.1',
  story:
    'ATS is switched on, and then the cache is emptied. In between the device uses the translations of the domain that it has left.',
  expected: STALE,
  parts: { ats: FlushAfterEnable },
};

/** Switched off late. */
export const smmuAtsDisableLate: SmmuHazard = {
  id: 'smmu-ats-disable-late',
  title: 'ATS is switched off at the device when the SMMU already refuses it',
  citation:
    'arm_smmu_attach_prepare(), Linux 6.12: pci_disable_ats() before the STE is changed, "to avoid AER noise"; IHI 0070 §3.9.1.3',
  story:
    'The stream table entry changes to one without ATS while the device still makes accesses by its cache: they are refused, although the change is one during which nothing is.',
  expected: WRONG_CONFIGURATION,
  parts: { attach: DisabledLate },
};

/** By IPA. */
export const smmuNestedAtcByIpa: SmmuHazard = {
  id: 'smmu-nested-atc-by-ipa',
  title: 'a nested device’s cache is invalidated by the IPA that stage 2 unmaps',
  citation:
    'INV_TYPE_ATS_FULL, arm_smmu_master_build_invs(), Linux 7.x; arm_smmu_atc_inv_domain() of a nest parent, Linux 6.13',
  story:
    'The cache of a nested device is indexed by the guest’s virtual addresses. CMD_ATC_INV by the IPA that goes drops nothing of it.',
  expected: STALE,
  parts: { attach: NestedByRange },
};

/** A span that does not hold the range. */
export const smmuAtcSpan: SmmuHazard = {
  id: 'smmu-atc-span',
  title: 'the span of CMD_ATC_INV is computed from the size of a range alone',
  citation:
    'arm_smmu_atc_inv_to_cmd(), Linux 5.2 and later: the span of [8; 11] is [0; 15], since a span is aligned to its size',
  story:
    'Two pages that are not aligned to two are invalidated by a span of two pages, which is aligned: the second page stays.',
  expected: STALE,
  parts: { ats: SpanBySize },
};
