import type { Task } from '../../../engine/step.ts';
import { ArmSmmuDriver, ArmSmmuSva, type Master } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Leaves what is cached under an ASID that nobody uses any more. */
class NoFlushDriver extends ArmSmmuDriver {
  protected override *arm_smmu_inv_flush_iotlb_tag(): Task {
    // Nothing.
  }
}

/** Flushes while the device still translates by the ASID. */
class EarlyFlushDriver extends ArmSmmuDriver {
  protected override *detachLocked(old: number, master: Master): Task {
    const asid = yield* this.kernel.domains.at(old).asid.load();
    yield* this.kernel.tlb.arm_smmu_tlb_inv_asid(asid);
    yield* super.detachLocked(old, master);
  }

  protected override *arm_smmu_inv_flush_iotlb_tag(): Task {
    // Done too early, by `detachLocked`.
  }
}

/** Issues the flush and does not wait for it. */
class NoSyncDriver extends ArmSmmuDriver {
  protected override *arm_smmu_inv_flush_iotlb_tag(asid: number): Task {
    yield* this.kernel.cmdq.issue([this.kernel.tlb.asidCommand(asid)], false);
  }
}

/** Gives the ASID of a process back without a flush. */
class NoFlushSva extends ArmSmmuSva {
  protected override *arm_smmu_flush_shared_asid(): Task {
    // Nothing.
  }
}

const FREED_IN_USE = [
  { monitor: 'tables', rule: 'table-free-in-use' },
  { monitor: 'tags', rule: 'tag-free-in-use' },
  { monitor: 'translation', rule: 'stale-translation' },
  { monitor: 'translation', rule: 'wrong-address-space' },
  { monitor: 'translation', rule: 'tlb-conflict' },
] as const;
const CITATION =
  'arm_smmu_install_old_domain_invs(): "any ASID/VMID not in an invs array must be left cleared in the IOTLB"';

/** No flush at all. */
export const asidFreeBeforeFlush: AsidHazard = {
  id: 'asid-free-before-flush',
  title: 'an ASID goes back to its allocator while translations are cached under it',
  citation: `${CITATION}; the FIXME version of arm_smmu_share_asid() freed the number with no flush`,
  story:
    'When the last device leaves a domain, nothing invalidates the domain’s ASID. The number, or the domain itself, is used again, and accesses are answered from what was cached before.',
  expected: FREED_IN_USE,
  parts: { driver: NoFlushDriver },
};

/** The flush comes before the configuration goes. */
export const asidFlushBeforeDetach: AsidHazard = {
  id: 'asid-flush-before-detach',
  title: 'the ASID is flushed before the device stops translating by it',
  citation: `${CITATION}; order of arm_smmu_attach_commit()`,
  story:
    'detach first invalidates the ASID and then clears the stream table entry and the context descriptor. In between the device walks the tables again, and what it caches outlives the detach.',
  expected: FREED_IN_USE,
  parts: { driver: EarlyFlushDriver },
};

/** The flush is not waited for. */
export const asidFreeBeforeSync: AsidHazard = {
  id: 'asid-free-before-sync',
  title: 'the ASID is freed after CMD_TLBI_NH_ASID was issued, but before it is complete',
  citation: `${CITATION}; arm_smmu_tlb_inv_asid() without the sync of arm_smmu_cmdq_issue_cmd_with_sync()`,
  story:
    'The invalidation of the ASID is in the queue, but nobody waits for it: the number is used again before it is complete.',
  expected: FREED_IN_USE,
  parts: { driver: NoSyncDriver },
};

/** The same mistake for a process's ASID. */
export const sharedAsidFreeBeforeFlush: AsidHazard = {
  id: 'shared-asid-free-before-flush',
  title: 'the last unbind gives the process’s ASID back without a flush',
  citation: 'arm_smmu_sva_domain_free(): "Ensure the ASID is empty in the iommu cache before allowing reuse"',
  story:
    'After the last unbind the SMMU still holds translations of the process under its ASID, which the next private domain may be given.',
  expected: FREED_IN_USE,
  parts: { sva: NoFlushSva },
};
