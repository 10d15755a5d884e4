import type { Task } from '../../../engine/step.ts';
import type { IoasidKernel } from './kernel.ts';
import type { IoasidData } from './objects.ts';

/**
 * Who hears of what happens to a number, and in which order: the CPU (KVM) first and devices last when it goes, the other way
 * round when it comes. Here KVM and the IOMMU driver listen always, and are called directly.
 */
export class Notifications {
  protected readonly kernel: IoasidKernel;

  constructor(kernel: IoasidKernel) {
    this.kernel = kernel;
  }

  /** ALLOC, under the lock of the allocator. */
  *alloc(_data: IoasidData): Task {}

  /** BIND for those below the IOMMU, before it has the entry. */
  *binding(_data: IoasidData, _device: number): Task {}

  /**
   * BIND for those above the IOMMU, which has the entry. False if the number is going: where others free what is in a set,
   * its FREE may have been heard when there was no bond yet, and nobody else would take it down.
   */
  *bind(data: IoasidData): Task<boolean> {
    const { kvm, layout, ioasid } = this.kernel;
    if (layout.sets === true) return (yield* ioasid.locked(() => kvm.onBindUnlessGoing(data))) !== 0;
    yield* kvm.onBind(data);
    return true;
  }

  /** UNBIND of the last device for those above the IOMMU, which has the entry still. */
  *unbind(data: IoasidData): Task {
    yield* this.kernel.kvm.onUnbind(data);
  }

  /** UNBIND for those below the IOMMU, which has no entry any more. */
  *unbound(_data: IoasidData, _device: number): Task {}

  /** FREE, where nobody may sleep. */
  *free(data: IoasidData): Task {
    yield* this.kernel.kvm.onFree(data);
    yield* this.kernel.svm.onFree(data);
  }
}
