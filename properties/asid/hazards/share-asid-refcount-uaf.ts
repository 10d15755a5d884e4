import type { Task } from '../../../engine/step.ts';
import { ArmSmmuSva, type Mm, type SharedCd } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Drops references without `arm_smmu_asid_lock`. */
class UnlockedPutSva extends ArmSmmuSva {
  override *arm_smmu_free_shared_cd(mm: Mm, cd: SharedCd): Task {
    const last = yield* cd.refs.put();
    if (!last) return;
    yield* this.arm_smmu_flush_shared_asid(mm);
    yield* this.eraseSharedAsid(mm, cd);
    yield* this.freeCd(cd);
    yield* this.kernel.context.arm64_mm_context_put(mm);
  }
}

/** bind finds a context descriptor whose last reference is just being dropped. */
export const shareAsidRefcountUaf: AsidHazard = {
  id: 'share-asid-refcount-uaf',
  title: 'the look-up of a shared context descriptor races with its last put',
  citation:
    'arm_smmu_share_asid() against arm_smmu_free_asid(); review of "iommu/arm-smmu-v3: Share process page tables", 2020',
  story:
    'unbind drops the last reference of a shared context descriptor without the lock under which bind looks it up. bind finds the descriptor in the xarray and takes a reference to an object whose count is already 0, or which is freed.',
  expected: [
    { monitor: 'safety', rule: 'refcount-resurrected' },
    { monitor: 'safety', rule: 'use-after-free' },
    { monitor: 'tags', rule: 'tag-free-in-use' },
    { monitor: 'safety', rule: 'leak' },
  ],
  parts: { sva: UnlockedPutSva },
};
