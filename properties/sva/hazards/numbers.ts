import type { Step, Task } from '../../../engine/step.ts';
import { step } from '../../../engine/step.ts';
import { Arm64Context, ctxid2asid, type Arm64MmContext, type ContextId } from '../../../impl/kernel/arm64/index.ts';
import { BtmConfigWriter, BtmContext, BtmDriver, BtmSva, THIS_CPU } from '../../../impl/kernel/btm/index.ts';
import {
  ArmSmmuTlb,
  type Command,
  type Domain,
  type EntryChange,
  type Mm,
  type SharedCd,
  type Space,
  type TlbRange,
} from '../../../impl/kernel/index.ts';
import { NARROW_BITS } from '../configuration.ts';
import { LOST_FOR_NOTHING, MISSED, MIXED_UP, UNPINNED, type SvaHazard } from './hazard.ts';

class NothingPrivate extends BtmConfigWriter {
  override spaceCd(space: Space, asid: number, _private: boolean, begin?: () => void): EntryChange {
    return super.spaceCd(space, asid, false, begin);
  }
}

/** What is left of an ASID in an SMMU that has fewer bits. */
function truncated(asid: number): number {
  return asid & ((1 << NARROW_BITS) - 1);
}

class AnyWidth extends BtmDriver {
  protected override arm_smmu_sva_supported(): boolean {
    return true;
  }
}

class TruncatedCd extends BtmConfigWriter {
  override spaceCd(space: Space, asid: number, isPrivate: boolean, begin?: () => void): EntryChange {
    return super.spaceCd(space, truncated(asid), isPrivate, begin);
  }
}

class TruncatedTlb extends ArmSmmuTlb {
  override asidCommand(asid: number): Command {
    return super.asidCommand(truncated(asid));
  }

  override arm_smmu_tlb_inv_range(asid: number, range: TlbRange): Command[] {
    return super.arm_smmu_tlb_inv_range(truncated(asid), range);
  }
}

class ForgetsPinned extends Arm64Context {
  protected override set_reserved_asid_bits(): void {
    this.asidMap.value = this.userHalves();
  }
}

class PinnedNotKept extends Arm64Context {
  protected override keep(mm: Arm64MmContext, id: ContextId, renewed: ContextId): ContextId {
    const pinned = mm.pinned.value;
    mm.pinned.value = 0;
    const kept = super.keep(mm, id, renewed);
    mm.pinned.value = pinned;
    return kept;
  }
}

class PinsInherited extends Arm64Context {
  override init_new_context(mm: Arm64MmContext): void {
    mm.id.value = 0;
  }
}

class UsesWhatItHas extends BtmContext {
  override *arm64_mm_context_get(mm: Mm): Task<number> {
    const pinned = yield* super.arm64_mm_context_get(mm);
    if (pinned !== 0) return pinned;
    const { id } = this.kernel.contextOf(mm);
    const asid = yield* step(
      `ASID(${mm.name})`,
      () => this.kernel.asidAllocator.userAsid(ctxid2asid(id.value)),
      String,
    );
    if (asid !== 0) yield* this.mmgrab(mm);
    return asid;
  }

  override *arm64_mm_context_put(mm: Mm): Task {
    const pinned = yield* this.kernel.contextOf(mm).pinned.load();
    if (pinned === 0) yield* this.drop(mm);
    else yield* super.arm64_mm_context_put(mm);
  }
}

class UnpinsFirst extends BtmSva {
  override *arm_smmu_free_shared_cd(mm: Mm, cd: SharedCd): Task {
    const { asidLock, asidAllocator, context } = this.kernel;
    yield* asidLock.lock();
    const last = yield* cd.refs.put();
    if (last) {
      yield* asidAllocator.arm64_mm_context_put(this.kernel.contextOf(mm));
      yield* this.arm_smmu_flush_shared_asid(mm);
      yield* this.eraseSharedAsid(mm, cd);
      yield* this.freeCd(cd);
    }
    yield* asidLock.unlock();
    if (last) yield* context.drop(mm);
  }
}

class NoFlushOnUnbind extends BtmSva {
  protected override *arm_smmu_flush_shared_asid(): Task {
    // The next roll-over flushes all TLBs.
  }
}

class MovesNobody extends BtmSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    yield* step(`ASID ${old} of ${domain.name} is private`, () => undefined);
    return true;
  }
}

class MovedByBroadcast extends BtmSva {
  override *arm_smmu_share_asid(domain: Domain, old: number): Task<boolean> {
    const { driver, tlbflush } = this.kernel;
    if (!driver.features.btm) return yield* super.arm_smmu_share_asid(domain, old);
    const asid = yield* this.allocNewAsid(domain);
    if (asid === 0) return false;
    const devices = yield* this.publishNewAsid(domain, old, asid);
    yield* this.rewriteCtxDescs(devices, asid);
    yield* tlbflush.tlbi(THIS_CPU, { kind: 'ASIDE1', asid: old });
    yield* tlbflush.tlbiSync(THIS_CPU);
    yield* this.dropOldAsid(domain, old, asid);
    return true;
  }
}

class SkipsForAll extends ArmSmmuTlb {
  override *arm_smmu_tlb_inv_range_domain(space: Space, range: TlbRange): Task {
    // `kernel` is a BtmKernel: what its driver found decides.
    const { features } = this.kernel.driver as BtmDriver;
    if (features.btm) yield* this.leaveOut(space);
    else yield* super.arm_smmu_tlb_inv_range_domain(space, range);
  }

  protected leaveOut(space: Space): Step<undefined> {
    return step(`no CMD_TLBI for ${space.name}: BTM`, () => undefined);
  }
}

const PINNED = 'commit 48118151d8cc, "arm64: mm: Pin down ASIDs for sharing mm with devices", Linux 5.10';

/** Mistakes about numbers that CPUs, shared processes and private domains have in common. */
export const NUMBER_HAZARDS: readonly SvaHazard[] = [
  {
    id: 'btm-private-cd-shared',
    title: 'the context descriptor of a private domain has ASET = 0',
    citation: 'arm_smmu_write_ctx_desc(), Linux 6.1: CTXDESC_CD_0_ASET where cd->mm is NULL; IHI 0070 §3.17',
    story:
      'The domain has a number that CPUs use for a process of their own. Whenever that process unmaps a page, the domain loses entries.',
    expected: LOST_FOR_NOTHING,
    parts: { configWriter: NothingPrivate },
  },
  {
    id: 'asid-xa-limit-truncated',
    title: 'processes are shared with an SMMU that has smaller ASIDs than the CPUs',
    citation: 'arm_smmu_sva_supported(), Linux 6.1: "We can support bigger ASIDs than the CPU, but not smaller"',
    story:
      'The ASID is cut to what fits, in context descriptors and in commands. It is then that of a private domain, which answers for the process; and broadcasts name the whole of it.',
    expected: [...MIXED_UP, ...LOST_FOR_NOTHING],
    parts: { driver: AnyWidth, configWriter: TruncatedCd, tlb: TruncatedTlb },
  },
  {
    id: 'sva-rollover-ignores-pinned',
    title: 'a roll-over clears asid_map without the pinned ASIDs',
    citation: `set_reserved_asid_bits(), ${PINNED}`,
    story:
      'The process that a device uses does not run, and its ASID goes to another one. Its own next ASID is what munmap broadcasts, and the device keeps its entries.',
    expected: UNPINNED,
    parts: { asidAllocator: ForgetsPinned },
  },
  {
    id: 'sva-pinned-not-kept',
    title: 'new_context() does not look whether the ASID is pinned',
    citation: `new_context(), "If it is pinned, we can keep using it", ${PINNED}`,
    story: 'After a roll-over the process gets another ASID than its devices have, and broadcasts under that.',
    expected: UNPINNED,
    parts: { asidAllocator: PinnedNotKept },
  },
  {
    id: 'sva-pins-inherited',
    title: 'a forked process inherits the pin of its parent',
    citation: 'init_new_context(), asm/mmu_context.h, Linux 6.1: refcount_set(&mm->context.pinned, 0)',
    story:
      'When a device is to use the child, its ASID counts as pinned and is not in pinned_asid_map. The next roll-over gives it away.',
    expected: UNPINNED,
    parts: { asidAllocator: PinsInherited },
  },
  {
    id: 'sva-binds-unpinned',
    title: 'a process whose ASID cannot be pinned is bound nevertheless',
    citation: 'arm_smmu_alloc_shared_cd(), Linux 6.1: -ESRCH if arm64_mm_context_get() returns 0',
    story:
      'Too many ASIDs are pinned, so the device uses what the process has at the moment: until the next roll-over.',
    expected: UNPINNED,
    parts: { context: UsesWhatItHas },
  },
  {
    id: 'sva-unpins-before-flush',
    title: 'the last unbind unpins the ASID before the SMMU has forgotten it',
    citation: 'arm_smmu_free_shared_cd(), Linux 6.1: arm64_mm_context_put() after arm_smmu_free_asid()',
    story:
      'A roll-over comes in between. The process runs under another ASID, frees a table and broadcasts under that, while the SMMU has its old one cached.',
    expected: UNPINNED,
    parts: { sva: UnpinsFirst },
  },
  {
    id: 'sva-flush-left-to-rollover',
    title: 'the last unbind leaves the ASID to the flush that comes with the next roll-over',
    citation:
      'arm_smmu_mmu_notifier_put(), Linux 6.1: arm_smmu_tlb_inv_asid() unless cleared; local_flush_tlb_all() is TLBI VMALLE1, not broadcast',
    story:
      'A roll-over flushes the TLBs of CPUs, each its own. The SMMU keeps what it has, and the number is given out again.',
    expected: [...MIXED_UP, ...MISSED],
    parts: { sva: NoFlushOnUnbind },
  },
  {
    id: 'share-asid-trusts-aset',
    title: 'a private domain keeps the ASID that a process is shared by, since ASET tells them apart',
    citation:
      'arm_smmu_share_asid(), Linux 6.1; IHI 0070 §3.17: ASET is about invalidation, entries match by ASID and VMID',
    story: 'An access of the domain finds an entry of the process under the same number, or the reverse.',
    expected: MIXED_UP,
    parts: { sva: MovesNobody },
  },
  {
    id: 'share-asid-flush-by-broadcast',
    title: 'the old ASID of a private domain is flushed by a broadcast of the CPU',
    citation:
      'arm_smmu_share_asid(), Linux 6.1: arm_smmu_tlb_inv_asid(smmu, asid), a command; IHI 0070 §3.17: ASET = 1 opts out of broadcasts by ASID',
    story:
      'What is cached for the domain is private and stays. The process that has the number now is answered from it.',
    expected: MIXED_UP,
    parts: { sva: MovedByBroadcast },
  },
  {
    id: 'btm-skips-private-domains',
    title: 'commands are left out for private domains as well',
    citation:
      'arm_smmu_mm_invalidate_range() is where ARM_SMMU_FEAT_BTM counts; arm_smmu_tlb_inv_range_domain(), Linux 6.1, sends commands whatever it says',
    story: 'No CPU broadcasts when a domain is unmapped, so nothing takes its entries away.',
    expected: MISSED,
    parts: { tlb: SkipsForAll },
  },
];
