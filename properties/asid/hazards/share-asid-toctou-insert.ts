import type { Task } from '../../../engine/step.ts';
import { ArmSmmuSva, sharedHandle, type Mm } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Looks the ASID up before it takes the lock. */
class EarlyLookupSva extends ArmSmmuSva {
  override *arm_smmu_alloc_shared_cd(mm: Mm): Task<number> {
    const { asidLock, asids, context, domains, sharedCds } = this.kernel;
    const asid = yield* context.arm64_mm_context_get(mm);
    if (asid === 0) return 0;
    const owner = yield* asids.load(asid);
    yield* asidLock.lock();
    const shared = sharedHandle(owner);
    if (shared !== 0) {
      yield* sharedCds.at(shared).refs.get();
      yield* asidLock.unlock();
      yield* context.arm64_mm_context_put(mm);
      return shared;
    }
    const free = owner === 0 || (yield* this.arm_smmu_share_asid(domains.at(owner), asid));
    const cd = free ? yield* this.insertSharedCd(mm, asid) : 0;
    yield* asidLock.unlock();
    if (cd === 0) yield* context.arm64_mm_context_put(mm);
    return cd;
  }
}

/** What the look-up found is not true any more when the ASID is taken. */
export const shareAsidToctouInsert: AsidHazard = {
  id: 'share-asid-toctou-insert',
  title: 'an ASID is looked up before the lock and taken under it',
  citation: 'arm_smmu_share_asid() and xa_insert(); review of "iommu/arm-smmu-v3: Share process page tables", 2020',
  story:
    'bind finds the ASID of its process free, or owned by a domain, and takes the lock only then. Meanwhile the ASID gets another owner, or its owner goes: the entry in the xarray is overwritten and two address spaces have one tag, or bind works on something freed.',
  expected: [
    { monitor: 'tags', rule: 'tag-not-owned' },
    { monitor: 'tags', rule: 'tag-not-unique' },
    { monitor: 'safety', rule: 'refcount-resurrected' },
    { monitor: 'safety', rule: 'use-after-free' },
    { monitor: 'tags', rule: 'tag-free-while-owned' },
    { monitor: 'tags', rule: 'tag-free-in-use' },
    { monitor: 'safety', rule: 'leak' },
  ],
  parts: { sva: EarlyLookupSva },
};
