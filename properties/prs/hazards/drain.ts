import { Completion } from '../../../engine/sync/completion.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  IntelPrq,
  IommuAttach,
  IoPgfault,
  type AttachHandle,
  type IopfDevice,
  type IopfKernel,
} from '../../../impl/kernel/iopf/index.ts';
import { inKernel, rule, type PrsHazard } from './hazard.ts';

const LATE = [
  rule('handled-after-detach'),
  rule('answered-after-detach'),
  rule('wrong-space'),
  { monitor: 'safety', rule: 'use-after-free' },
];

/** Mistakes in what detach waits for. */
export const DRAIN_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'prq-unbind-no-drain',
    title: 'detach does not wait for the requests in the queue',
    citation: inKernel('intel_iommu_drain_pasid_prq()', 'comment of iopf_queue_flush_dev()'),
    story:
      'A request of the old owner of a PASID is still in the queue when detach returns; it is looked after, or answered, for the next one.',
    expected: [
      rule('refused-while-attached'),
      rule('wrong-space'),
      rule('answered-after-detach'),
      rule('handled-after-detach'),
      { monitor: 'safety', rule: 'use-after-free' },
    ],
    parts: {
      prq: class extends IntelPrq {
        protected override *drainQueue(): Task {}
      },
    },
  },
  {
    id: 'prq-unbind-no-flush',
    title: 'detach does not wait for the works of the page-fault queue',
    citation: inKernel('intel_iommu_drain_pasid_prq()', 'comment of iopf_queue_flush_dev()'),
    story:
      'A group of the old owner has left the queue and waits for a worker when detach frees what it was attached to.',
    expected: [{ monitor: 'safety', rule: 'use-after-free' }, ...LATE.slice(0, 3)],
    parts: {
      pgfault: class extends IoPgfault {
        override *iopf_queue_flush_dev(): Task {}
      },
    },
  },
  {
    id: 'prq-flush-before-drain',
    title: 'detach waits for the works first, then for the queue',
    citation: inKernel('iopf_queue_flush_dev()', 'its comment: the low-level queue must be flushed before'),
    story:
      'A request leaves the queue after the works have been waited for, so its group is handled when detach has returned.',
    expected: [{ monitor: 'safety', rule: 'use-after-free' }, ...LATE.slice(0, 3)],
    parts: {
      prq: class extends IntelPrq {
        override *intel_iommu_drain_pasid_prq(device: IopfDevice, pasid: number): Task {
          yield* this.kernel.pgfault.iopf_queue_flush_dev(device);
          yield* this.drainQueue(device, pasid);
          yield* this.kernel.pgfault.discardPartial(device, pasid);
        }
      },
    },
  },
  {
    id: 'prq-drain-before-clear',
    title: 'detach drains before the PASID entry is cleared',
    citation: inKernel('intel_pasid_tear_down_entry(), intel_iommu_drain_pasid_prq()'),
    story: 'The device asks again after the drain, since its PASID still leads to the space.',
    expected: [rule('answered-after-detach'), ...LATE],
    parts: {
      attach: class extends IommuAttach {
        protected override *remove_dev_pasid(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
          yield* this.devtlb_invalidation(device);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
          yield* this.clearEntry(device, pasid, handle);
          yield* this.eraseHandle(device, pasid);
        }
      },
    },
  },
  {
    id: 'prq-unbind-no-devtlb-flush',
    title: 'detach does not wait for what the device has sent',
    citation: inKernel(
      'devtlb_invalidation_with_pasid()',
      'PCIe ATS: an invalidation completion comes behind posted page requests',
    ),
    story: 'A request is still on its way when the queue is found empty; it arrives after detach has returned.',
    expected: [rule('answered-after-detach'), ...LATE],
    parts: {
      attach: class extends IommuAttach {
        protected override *devtlb_invalidation(): Task {}
      },
    },
  },
  {
    id: 'prq-partial-kept',
    title: 'detach leaves partial groups where they are, and they are found by index alone',
    citation: inKernel('iopf_group_alloc()', 'only an overflow discards partial requests'),
    story:
      'A request of a group that never became whole joins a group of the next owner that has the same index: its page is touched in the wrong address space.',
    expected: [rule('wrong-space'), rule('handled-after-detach')],
    parts: {
      prq: class extends IntelPrq {
        override *intel_iommu_drain_pasid_prq(device: IopfDevice, pasid: number): Task {
          yield* this.drainQueue(device, pasid);
          yield* this.kernel.pgfault.iopf_queue_flush_dev(device);
        }
      },
      pgfault: class extends IoPgfault {
        protected override belongsTo(code: number, last: number): boolean {
          const { decode } = this.kernel.port;
          return decode(code).group === decode(last).group;
        }
      },
    },
  },
  {
    id: 'prq-handle-erased-last',
    title: 'the handler can be found until the queue has been drained',
    citation: inKernel(
      'iommu_detach_device_pasid()',
      'by reading: remove_dev_pasid() drains, then the handle is erased; whether a device gets so far is not confirmed',
    ),
    story:
      'A device that goes on to send requests for a PASID that was taken from it has one taken up between the drain and the erasure of the handle, which is freed then.',
    expected: [
      { monitor: 'safety', rule: 'use-after-free' },
      rule('handled-after-detach'),
      rule('answered-after-detach'),
    ],
    parts: {
      attach: class extends IommuAttach {
        protected override *remove_dev_pasid(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
          yield* this.clearEntry(device, pasid, handle);
          yield* this.devtlb_invalidation(device);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
          yield* this.eraseHandle(device, pasid);
        }
      },
    },
  },
  {
    id: 'prq-complete-lost-wakeup',
    title: 'one completion for all who drain',
    citation: inKernel(
      'intel_iommu_drain_pasid_prq(), prq_event_thread()',
      'by reading: prq_complete is shared, and complete() wakes one',
    ),
    story:
      'Two detaches wait for one completion, which wakes one of them; or one of them takes back what the other waits for.',
    expected: [
      { monitor: 'deadlock', rule: 'lost-wake-up' },
      { monitor: 'deadlock', rule: 'never-unlocked' },
    ],
    parts: { prq: sharedCompletion() },
  },
  {
    id: 'drain-prq-abba',
    title: 'a page response takes the lock that detach holds',
    citation:
      'commit "iommu/vt-d: Fix potential deadlock if intel_svm_drain_prq() is called under pasid_mutex", comment in intel_svm_drain_prq(), Linux 6.1',
    story:
      'Detach holds the mutex and waits for the works of the page-fault queue; a work waits for the mutex to answer its group.',
    expected: [
      { monitor: 'deadlock', rule: 'lock-cycle' },
      { monitor: 'deadlock', rule: 'never-unlocked' },
    ],
    parts: {
      pgfault: class extends IoPgfault {
        override *iopf_group_response(...[group, success]: Parameters<IoPgfault['iopf_group_response']>): Task {
          const { port } = this.kernel;
          const code = yield* group.last.load();
          const { group: mutex } = this.kernel.device(port.decode(code).device);
          yield* mutex.lock();
          yield* super.iopf_group_response(group, success);
          yield* mutex.unlock();
        }
      },
    },
  },
];

function sharedCompletion(): new (kernel: IopfKernel) => IntelPrq {
  return class extends IntelPrq {
    readonly #complete: Completion;

    constructor(kernel: IopfKernel) {
      super(kernel);
      this.#complete = new Completion(kernel.machine, 'prq_complete');
    }

    protected override *drainQueue(device: IopfDevice, pasid: number): Task {
      for (;;) {
        yield* this.#complete.reinit();
        const found = yield* this.#look(device, pasid);
        if (!found) return;
        yield* this.#complete.wait();
      }
    }

    protected override *wakeDrains(): Task {
      yield* this.#complete.complete();
    }

    #look(device: IopfDevice, pasid: number): Step<boolean> {
      return step(`requests of ${device.name}, PASID ${pasid}?`, () => this.has(device.index, pasid));
    }
  };
}
