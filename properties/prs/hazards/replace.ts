import { step, type Task } from '../../../engine/step.ts';
import { IommuReplace, type AttachHandle, type IopfDevice } from '../../../impl/kernel/iopf/index.ts';
import { rule, type PrsHazard } from './hazard.ts';

const ROUTINE = 'iommu_replace_device_pasid(), Linux 7.2';
const GONE = { monitor: 'safety', rule: 'use-after-free' };

/** Mistakes in how a PASID goes from one space to another. */
export const REPLACE_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'replace-handle-last',
    title: 'replace writes the entry, drains, and then stores the handler',
    citation: `${ROUTINE}; by reading: the driver swaps and drains, then the handle is stored`,
    story:
      'A request that is made through the new entry before the new handler is stored goes to the old one: its page is touched in the old space.',
    expected: [rule('wrong-space'), GONE],
    parts: {
      replace: class extends IommuReplace {
        protected override *swap(device: IopfDevice, pasid: number, old: AttachHandle, now: AttachHandle): Task {
          yield* this.#begin(device, old, now);
          yield* this.writeEntry(device, now);
          yield* this.devtlb_invalidation(device);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
          yield* this.storeHandle(device, now);
          if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(old);
          yield* this.replaced(device, old, now);
        }

        *#begin(...[device, old, now]: Parameters<IommuReplace['begin']>): Task {
          yield* step('replace', () => {
            this.told('pri.replace.begin', device, old, now);
            return undefined;
          });
        }
      },
    },
  },
  {
    id: 'replace-handle-first',
    title: 'replace stores the new handler, then writes the entry',
    citation: `${ROUTINE}; the other order, of which review said that it is not desirable`,
    story:
      'A request that was made through the old entry goes to the new handler: its page is touched in the new space.',
    expected: [rule('wrong-space'), GONE],
    parts: {
      replace: class extends IommuReplace {
        protected override *swap(device: IopfDevice, pasid: number, old: AttachHandle, now: AttachHandle): Task {
          yield* step('replace', () => {
            this.told('pri.replace.begin', device, old, now);
            return undefined;
          });
          yield* this.storeHandle(device, now);
          yield* this.writeEntry(device, now);
          yield* this.devtlb_invalidation(device);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
          if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(old);
          yield* this.replaced(device, old, now);
        }
      },
    },
  },
  {
    id: 'replace-no-drain',
    title: 'replace does not drain',
    citation: `${ROUTINE}; intel_pasid_replace_first_level() drains the page requests of the PASID`,
    story: 'A request that was made through the old entry is in the queue, or with a worker, when the old space goes.',
    expected: [rule('wrong-space'), GONE, rule('answered-after-detach'), rule('handled-after-detach')],
    parts: {
      replace: class extends IommuReplace {
        protected override *swap(device: IopfDevice, _pasid: number, old: AttachHandle, now: AttachHandle): Task {
          yield* this.begin(device, old, now);
          yield* this.writeEntry(device, now);
          yield* this.devtlb_invalidation(device);
          if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(old);
          yield* this.storeHandle(device, now);
          yield* this.replaced(device, old, now);
        }
      },
    },
  },
  {
    id: 'replace-no-devtlb-flush',
    title: 'replace does not wait for what the device has sent',
    citation: `${ROUTINE}; PCIe ATS: an invalidation completion comes behind posted page requests`,
    story: 'A request of the old entry is still on its way when the queue is found empty; it goes to the new handler.',
    expected: [rule('wrong-space'), rule('answered-after-detach'), rule('handled-after-detach')],
    parts: {
      replace: class extends IommuReplace {
        protected override *devtlb_invalidation(): Task {}
      },
    },
  },
  {
    id: 'replace-user-unanswered',
    title: 'replace leaves what user space has been given',
    citation:
      'iommufd_hwpt_replace_device(), iommufd_auto_response_faults(), drivers/iommu/iommufd/device.c, Linux 7.2',
    story: 'User space has a request of the old space, whose handle is freed; it answers it later, or never.',
    expected: [GONE, rule('answered-after-detach'), rule('handled-after-detach')],
    parts: {
      replace: class extends IommuReplace {
        protected override *swap(device: IopfDevice, pasid: number, old: AttachHandle, now: AttachHandle): Task {
          yield* this.begin(device, old, now);
          yield* this.writeEntry(device, now);
          yield* this.devtlb_invalidation(device);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
          yield* this.storeHandle(device, now);
          yield* this.replaced(device, old, now);
        }
      },
    },
  },
  {
    id: 'replace-alloc-late',
    title: 'replace allocates when the old handler has gone',
    citation: `${ROUTINE}: the place in pasid_array is reserved first, so that nothing fails after the entry is written`,
    story: 'There is no memory for the new handler; the PASID still leads to the old space, and nobody looks after it.',
    expected: [rule('refused-while-attached')],
    parts: {
      replace: class extends IommuReplace {
        protected override *replaceLocked(
          device: IopfDevice,
          pasid: number,
          old: AttachHandle,
          space: number,
        ): Task<boolean> {
          const cell = device.pasids[pasid];
          yield* step(`xa_erase(${device.name}.pasid_array)`, () => {
            if (cell !== undefined && old.space.value !== space) cell.value = 0;
            return undefined;
          });
          const handle = yield* this.allocHandle(old, space);
          if (handle === 0) return false;
          yield* this.swap(device, pasid, old, this.kernel.handles.at(handle));
          return true;
        }
      },
    },
  },
];
