import { step, type Step, type Task } from '../../../engine/step.ts';
import { MmContext } from '../context.ts';
import type { Mm } from '../objects.ts';
import type { BtmKernel } from './kernel.ts';

/** Pinned ASIDs as the CPUs' allocator gives them out (`Arm64Context`). */
export class BtmContext extends MmContext {
  declare protected readonly kernel: BtmKernel;

  /** `mmgrab()` and `arm64_mm_context_get()`: 0 if too many are pinned; then the reference is dropped again. */
  override *arm64_mm_context_get(mm: Mm): Task<number> {
    yield* this.mmgrab(mm);
    const asid = yield* this.kernel.asidAllocator.arm64_mm_context_get(this.kernel.contextOf(mm));
    if (asid === 0) yield* this.drop(mm);
    return asid;
  }

  /** `arm64_mm_context_put()` and `mmdrop()`. */
  override *arm64_mm_context_put(mm: Mm): Task {
    yield* this.kernel.asidAllocator.arm64_mm_context_put(this.kernel.contextOf(mm));
    yield* this.drop(mm);
  }

  /** `mmgrab()` for a device, whose references are counted by `pinned` besides. */
  mmgrab(mm: Mm): Step<undefined> {
    return step(`mmgrab(${mm.name})`, () => {
      mm.mm_count.increment();
      mm.pinned.value += 1;
      return undefined;
    });
  }

  /** `mmdrop()` of a device's reference. */
  drop(mm: Mm): Step<undefined> {
    const drop = this.mmdrop(mm);
    return step(drop.label, () => {
      mm.pinned.value -= 1;
      return drop.run();
    });
  }

  /** CPUs hold the structure of a process whose table they have loaded (`active_mm`). */
  override otherUsers(mm: Mm): number {
    return this.kernel.activeMms.filter(({ value }) => value === mm.handle).length;
  }
}
