import { step, type Step, type Task } from '../../../engine/step.ts';
import { IommuAttach, IoPgfault, type FaultParam, type IopfDevice } from '../../../impl/kernel/iopf/index.ts';
import { inKernel, rule, type PrsHazard } from './hazard.ts';

/** Mistakes where there is no memory. */
export const MEMORY_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'iopf-group-alloc-error',
    title: 'a group that there is no memory for leaves its other requests behind',
    citation: 'comment in iommu_queue_iopf(), Linux 6.1 ("partial faults will be stuck")',
    story:
      'The last request of a group is refused for lack of memory; what is left of the group joins the next one that has its index.',
    expected: [rule('group-merged'), rule('handled-after-detach')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *abortGroup(_param: FaultParam, code: number): Task {
          yield* this.iopf_error_response(code);
        }
      },
    },
  },
  {
    id: 'iopf-partial-alloc-error',
    title: 'a request that there is no memory for is answered, last or not',
    citation: inKernel(
      'report_partial_fault()',
      'comment of iommu_report_device_fault(): only the last is acknowledged',
    ),
    story:
      'The first request of a group is refused for lack of memory. The device takes this for the answer to the group, and the last request is answered again.',
    expected: [rule('response-not-asked'), rule('refused-while-attached'), rule('response-wrong-pasid')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *partialLost(code: number): Task {
          const { device, pasid, group } = this.kernel.port.decode(code);
          yield* this.kernel.prq.pageResponse(device, pasid, group, 'Invalid');
        }
      },
    },
  },
  {
    id: 'iopf-group-alloc-silent',
    title: 'a group that there is no memory for is forgotten',
    citation: inKernel('iopf_group_alloc()', 'its abort_group: "we need it to abort the request at the driver"'),
    story: 'There is nothing to answer the group with, so nobody does, and the device waits for ever.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *abortGroup(param: FaultParam, code: number): Task {
          yield* this.discard(param, (each) => this.belongsTo(each, code));
        }
      },
    },
  },
  {
    id: 'iopf-invalid-vs-failure',
    title: 'a group that there is no memory for is answered with Failure',
    citation:
      'iommu_report_device_fault(), commit b554e396e51c "iommu: Make iopf_group_response() return void"; a patch that makes it INVALID was discussed and not taken',
    story:
      'Memory is short for a moment; the answer disables page requests of the device, and nothing enables them again.',
    expected: [rule('disabled-for-good')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *abortGroup(param: FaultParam, code: number): Task {
          yield* this.discard(param, (each) => this.belongsTo(each, code));
          const { device, pasid, group } = this.kernel.port.decode(code);
          yield* this.kernel.prq.pageResponse(device, pasid, group, 'Failure');
        }
      },
    },
  },
  {
    id: 'iopf-attach-alloc-late',
    title: 'attach allocates after it has written the entry',
    citation: inKernel(
      'iommu_attach_device_pasid()',
      'the place in pasid_array is reserved first, so that its store cannot fail',
    ),
    story: 'There is no memory for the handle; attach fails, and the PASID leads to the space all the same.',
    expected: [rule('refused-while-attached')],
    parts: {
      attach: class extends IommuAttach {
        override *iommu_attach_device_pasid(device: IopfDevice, pasid: number, space: number): Task<boolean> {
          yield* device.group.lock();
          yield* this.#writeEntry(device, pasid, space);
          const handle = yield* this.allocHandle(device, pasid, space);
          if (handle !== 0) yield* this.storeHandle(device, pasid, this.kernel.handles.at(handle));
          yield* device.group.unlock();
          return handle !== 0;
        }

        #writeEntry(device: IopfDevice, pasid: number, space: number): Step<boolean> {
          return step(`PASID entry(${device.name}, ${pasid})`, () => {
            if (device.known.value === 0 || this.cell(device, pasid).value !== 0) return false;
            this.kernel.emit({ type: 'pri.attach.begin', device: device.index, pasid, space });
            this.kernel.port.writeEntry(device.index, pasid, space);
            return true;
          });
        }
      },
    },
  },
];
