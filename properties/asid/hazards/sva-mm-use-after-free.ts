import { step, type Step, type Task } from '../../../engine/step.ts';
import { MmContext, type Mm } from '../../../impl/kernel/index.ts';
import type { AsidHazard } from './hazard.ts';

/** Pins the ASID of a process without a reference to the process. */
class NoReferenceContext extends MmContext {
  override arm64_mm_context_get(mm: Mm): Step<number> {
    return step(`arm64_mm_context_get(${mm.name})`, () => {
      mm.pinned.value += 1;
      return mm.asid.value;
    });
  }

  override *arm64_mm_context_put(mm: Mm): Task {
    yield* step(`arm64_mm_context_put(${mm.name})`, () => {
      mm.pinned.value -= 1;
      return undefined;
    });
  }
}

/** The pin outlives what it pins. */
export const svaMmUseAfterFree: AsidHazard = {
  id: 'sva-mm-use-after-free',
  title: 'the pinned ASID of a process is given back when the process may be gone',
  citation:
    '"iommu/arm-smmu-v3-sva: Fix mm use-after-free", Linux 5.19 (fixes 32784a9562fb): arm64_mm_context_put() without a reference to the mm',
  story:
    'bind pins the ASID of a process but holds no reference to its mm. The process exits while the device is still bound, its mm is freed with the page table that the context descriptor points to, and unbind then uses it.',
  expected: [
    // A shared context descriptor is left whose process is gone; with an unbind it is used.
    { monitor: 'safety', rule: 'leak' },
    { monitor: 'safety', rule: 'use-after-free' },
    { monitor: 'safety', rule: 'refcount-underflow' },
    // One reference too few, which shows as soon as nothing runs any more.
    { monitor: 'safety', rule: 'leak' },
    { monitor: 'tables', rule: 'table-free-in-use' },
  ],
  parts: { context: NoReferenceContext },
};
