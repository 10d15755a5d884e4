import { step, type Step, type Task } from '../../../engine/step.ts';
import type { Command, Space, TlbRange } from '../../../impl/kernel/index.ts';
import {
  ArmSmmuInvalidation,
  INV_TYPE,
  isAts,
  type CountedInv,
  type Inv,
  type Invs,
} from '../../../impl/kernel/nested/index.ts';
import { STALE } from './expected.ts';
import type { SmmuHazard } from './hazard.ts';

/** Puts CMD_ATC_INV behind the TLB invalidations without a CMD_SYNC in between. */
class AtcUnsynced extends ArmSmmuInvalidation {
  override *arm_smmu_domain_inv_range(domain: Space, range: TlbRange): Task {
    if (range.size > 0) yield* this.issue(this.kernel.invs.named(yield* this.loadInvs(domain)), range);
  }
}

/** Serves device caches first. */
class AtcFirst extends ArmSmmuInvalidation {
  override *arm_smmu_domain_inv_range(domain: Space, range: TlbRange): Task {
    if (range.size === 0) return;
    const invs = this.kernel.invs.named(yield* this.loadInvs(domain));
    for (const caches of [true, false])
      yield* this.issue(
        invs.filter((inv) => isAts(inv) === caches),
        range,
      );
  }
}

/** Reads the set once, before anything is invalidated. */
class ReadOnce extends ArmSmmuInvalidation {
  protected override reloadInvs(domain: Space, set: string): Step<string> {
    return step(
      `the same ${domain.invs.name}`,
      () => set,
      () => undefined,
    );
  }
}

/** Invalidates stage 2 by IPA and leaves nested stage 1 alone. */
class NoS1Clear extends ArmSmmuInvalidation {
  protected override commandsFor(inv: Inv, range: TlbRange): readonly Command[] {
    return inv.type === INV_TYPE.S2_VMID_S1_CLEAR ? [] : super.commandsFor(inv, range);
  }
}

/** Clears nested stage 1 in the list that invalidates stage 2. */
class S1ClearUnsynced extends ArmSmmuInvalidation {
  protected override arm_smmu_invs_end_batch(inv: Inv, next: Inv): boolean {
    return next.type !== INV_TYPE.S2_VMID_S1_CLEAR && super.arm_smmu_invs_end_batch(inv, next);
  }
}

/** Clears nested stage 1 first. */
class S1ClearFirst extends ArmSmmuInvalidation {
  protected override batches(invs: Invs): CountedInv[][] {
    const isClear = ([inv]: readonly CountedInv[]): boolean => inv?.type === INV_TYPE.S2_VMID_S1_CLEAR;
    const batches = super.batches(invs);
    return [...batches.filter(isClear), ...batches.filter((batch) => !isClear(batch))];
  }
}

/** Tells only the first device that has a cache. */
class OneAtc extends ArmSmmuInvalidation {
  protected override batches(invs: Invs): CountedInv[][] {
    return super.batches(invs).map((batch) => (batch.some(isAts) ? batch.slice(0, 1) : batch));
  }
}

const FUNCTION = 'arm_smmu_domain_inv_range(), arm_smmu_invs_end_batch(), Linux 7.x';

/** ATC_INV in the batch of the TLBI. */
export const smmuAtcBeforeTlbSync: SmmuHazard = {
  id: 'smmu-atc-before-tlb-sync',
  title: 'CMD_ATC_INV is issued before the TLB invalidation is known to be complete',
  citation: `${FUNCTION}; "iommu/arm-smmu-v3: Fix ATC invalidation ordering wrt main TLBs", Linux 5.4; IHI 0070 §3.9.1`,
  story:
    'TLB invalidation and CMD_ATC_INV are in one list. The device asks again between the two, the SMMU answers from an entry that is about to go, and the device keeps the answer.',
  expected: STALE,
  parts: { invalidation: AtcUnsynced },
};

/** ATC_INV first. */
export const smmuAtcFirst: SmmuHazard = {
  id: 'smmu-atc-first',
  title: 'device caches are invalidated before the TLB is',
  citation: '"iommu/arm-smmu-v3: Fix ATC invalidation ordering wrt main TLBs", Linux 5.4; IHI 0070 §3.9.1',
  story:
    'unmap invalidates the device’s cache, waits, and invalidates the TLB. In between the device gets the old translation from the TLB again.',
  expected: STALE,
  parts: { invalidation: AtcFirst },
};

/** No clear of nested stage 1. */
export const s2UnmapNoS1Clear: SmmuHazard = {
  id: 's2-unmap-no-s1-clear',
  title: 'unmap of the nest parent leaves what nested stage 1 has derived from it',
  citation:
    'INV_TYPE_S2_VMID_S1_CLEAR, arm_smmu_master_build_invs(), Linux 7.x; IHI 0070 §3.17, §4.4.3 (CMD_TLBI_S2_IPA)',
  story:
    'The hypervisor takes a page from its guest and invalidates stage 2 by IPA. That does not cover entries which combine both stages: the guest’s device still reaches the page by its virtual address.',
  expected: STALE,
  parts: { invalidation: NoS1Clear },
};

/** S2_IPA and NH_ALL in one batch. */
export const s1ClearBeforeS2Sync: SmmuHazard = {
  id: 's1-clear-before-s2-sync',
  title: 'nested stage 1 is cleared before the invalidation of stage 2 is known to be complete',
  citation: `${FUNCTION}: the batch for stage 2 is done before nested stage 1; IHI 0070 §4.4.3`,
  story:
    'CMD_TLBI_S2_IPA and CMD_TLBI_NH_ALL are in one list. A walk after the clear may still use the stage 2 entry that is about to go, and make a combined entry from it which nobody invalidates.',
  expected: STALE,
  parts: { invalidation: S1ClearUnsynced },
};

/** NH_ALL first. */
export const s1ClearFirst: SmmuHazard = {
  id: 's1-clear-first',
  title: 'nested stage 1 is cleared before stage 2 is invalidated',
  citation: `${FUNCTION}; arm_smmu_tlb_inv_range_domain() for nest parents, Linux 6.13`,
  story:
    'Everything of nested stage 1 is cleared, and then stage 2 is invalidated by IPA. In between a walk makes the combined entry from the old stage 2 entry again.',
  expected: STALE,
  parts: { invalidation: S1ClearFirst },
};

/** One device of two. */
export const smmuAtcOneDevice: SmmuHazard = {
  id: 'smmu-atc-one-device',
  title: 'only one device of a domain has its cache invalidated',
  citation: 'arm_smmu_atc_inv_domain(), Linux 6.1: for each master of the domain; INV_TYPE_ATS, Linux 7.x',
  story:
    'Two devices with ATS share a domain. unmap sends CMD_ATC_INV to the first of them; the other one keeps its translation.',
  expected: STALE,
  parts: { invalidation: OneAtc },
};

/** One reading of the set. */
export const smmuAtsSetReadOnce: SmmuHazard = {
  id: 'smmu-ats-set-read-once',
  title: 'which devices have caches is found out before the TLB is clean',
  citation:
    'arm_smmu_atc_inv_domain(), Linux 5.4 to 6.18, has the order with a diagram: TLBI + SYNC, smp_mb, read nr_ats_masters; arm_smmu_domain_inv_range(), Linux 7.x, reads the set once (by reading; not confirmed by running it)',
  story:
    'unmap clears the entry and reads the domain’s set. A second device with ATS is attached: it walks nothing, but the SMMU answers it from what the first device has left in the TLB. unmap then invalidates the TLB and the caches that it knew of.',
  expected: STALE,
  parts: { invalidation: ReadOnce },
};
