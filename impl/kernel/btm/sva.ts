import { step, type Step, type Task } from '../../../engine/step.ts';
import type { Master, Mm, SharedCd } from '../objects.ts';
import { ArmSmmuSva } from '../sva.ts';
import type { BtmKernel } from './kernel.ts';

/** Shared virtual addressing over ASIDs that the CPUs' allocator pins. */
export class BtmSva extends ArmSmmuSva {
  declare protected readonly kernel: BtmKernel;

  /** `arm_smmu_sva_bind()`, where the SMMU can share processes at all (`ARM_SMMU_FEAT_SVA`). */
  override *arm_smmu_sva_bind(mm: Mm, master: Master): Task<boolean> {
    if (!this.kernel.driver.features.sva) return false;
    return yield* super.arm_smmu_sva_bind(mm, master);
  }

  /** `WARN_ON(cd->mm != mm)`: a pinned ASID is nobody else's. */
  protected override *takeSharedCd(mm: Mm, cd: SharedCd): Task<boolean> {
    return yield* step(`refcount_inc ${cd.refs.name}`, () => {
      const own = cd.mm.value === mm.handle;
      if (own) cd.refs.increment();
      return own;
    });
  }

  /** The number under which devices know the process (`cd->asid`) is the pinned one. */
  protected override insertSharedCd(mm: Mm, asid: number): Step<number> {
    const insert = super.insertSharedCd(mm, asid);
    return step(insert.label, () => {
      mm.asid.value = asid;
      return insert.run();
    });
  }

  protected override *arm_smmu_atc_inv_domain(mm: Mm): Task {
    yield* this.kernel.ats.arm_smmu_atc_inv_domain(mm);
  }
}
