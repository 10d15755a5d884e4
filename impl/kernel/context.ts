import { step, type Step, type Task } from '../../engine/step.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './objects.ts';

/**
 * Pinned ASIDs of the CPU (`arch/arm64/mm/context.c`) and references to processes. A pinned ASID survives roll-over,
 * so it can stand in a context descriptor.
 */
export class MmContext {
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** `mmgrab()` and `arm64_mm_context_get()`: pins the ASID of a process and returns it. */
  arm64_mm_context_get(mm: Mm): Step<number> | Task<number> {
    return step(`arm64_mm_context_get(${mm.name})`, () => {
      mm.mm_count.increment();
      mm.pinned.value += 1;
      return mm.asid.value;
    });
  }

  /** `arm64_mm_context_put()` and `mmdrop()`. */
  *arm64_mm_context_put(mm: Mm): Task {
    yield* step(`arm64_mm_context_put(${mm.name})`, () => {
      mm.pinned.value -= 1;
      return undefined;
    });
    yield* this.mmdrop(mm);
  }

  /** `mmdrop()`: with the last reference the structure and its top-level table go. */
  mmdrop(mm: Mm): Step<undefined> {
    return step(`mmdrop(${mm.name})`, () => {
      if (!mm.mm_count.decrement()) return undefined;
      this.kernel.pgtable.releasePage(mm.pgd.value >>> 0);
      this.kernel.mms.free(mm.handle);
      return undefined;
    });
  }

  /** References to the structure besides those of its users and of devices. For checks, between steps. */
  otherUsers(_mm: Mm): number {
    return 0;
  }
}
