import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  IntelPrq,
  IommuAttach,
  IoPgfault,
  type AttachHandle,
  type FaultParam,
  type IopfDevice,
  type IopfGroup,
} from '../../../impl/kernel/iopf/index.ts';
import { inKernel, rule, type PrsHazard } from './hazard.ts';

/** Mistakes in what becomes of a request, an overflow, a device. */
export const GROUP_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'partial-group-merge',
    title: 'requests of a group are matched by its index, whatever their PASID',
    citation: inKernel('iopf_group_alloc()', 'by reading'),
    story:
      'A device uses one index for two PASIDs, which the specification leaves to it; a request of one is looked after in the address space of the other.',
    expected: [rule('wrong-space')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override belongsTo(code: number, last: number): boolean {
          const { decode } = this.kernel.port;
          return decode(code).group === decode(last).group;
        }
      },
    },
  },
  {
    id: 'partial-error-response',
    title: 'a request without a handler is answered, last or not',
    citation: inKernel(
      'iommu_report_device_fault(), intel_iommu_page_response()',
      'by reading; Linux 6.1 has the check in its driver',
    ),
    story:
      'The first request of a group finds no handler and is refused, and so is the last one: two responses to one group.',
    expected: [rule('response-not-asked')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *iopf_error_response(code: number): Task {
          const { device, pasid, group } = this.kernel.port.decode(code);
          yield* this.kernel.prq.pageResponse(device, pasid, group, 'Invalid');
        }
      },
    },
  },
  {
    id: 'prq-stop-marker-answered',
    title: 'a Stop Marker is treated as a request',
    citation: inKernel('prq_event_thread()', 'comment of iommu_queue_iopf(), Linux 6.1; PCIe ATS, PASID Stop Markers'),
    story: 'A Stop Marker looks like a last request that asks for nothing; it is reported, and answered.',
    expected: [
      rule('response-not-asked'),
      rule('wrong-space'),
      rule('answered-unhandled'),
      rule('response-wrong-pasid'),
    ],
    parts: {
      prq: class extends IntelPrq {
        protected override *handleRequest(code: number): Task {
          yield* this.kernel.iopfLock.lock();
          const device = yield* this.findDevice(this.kernel.port.decode(code).device);
          if (device === undefined) yield* this.handle_bad_prq_event(code);
          else yield* this.kernel.pgfault.iommu_report_device_fault(device, code);
          yield* this.kernel.iopfLock.unlock();
        }
      },
    },
  },
  {
    id: 'iopf-pinned-handled',
    title: 'nobody looks whether a domain has a handler',
    citation: inKernel('find_fault_handler(), iommu_report_device_fault()', 'domain->iopf_handler'),
    story: 'A device asks for a page of a domain all of which is pinned, and somebody looks after it.',
    expected: [rule('handled-not-faultable')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override isPinned(): boolean {
          return false;
        }
      },
    },
  },
  {
    id: 'iopf-pinned-by-device',
    title: 'a device with one domain that has no handler is refused everything',
    citation:
      'iommu list, on gIOVA and gSVA of one device: a pinned first-level domain must not answer for the PASIDs of its device',
    story: 'One PASID leads to a pinned domain; requests of another one are refused, although it is attached.',
    expected: [rule('refused-while-attached')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override isPinned(device: IopfDevice): boolean {
          return device.pasids.some((cell) => this.leadsToPinned(cell.value));
        }
      },
    },
  },
  {
    id: 'fault-auto-invalid-prq',
    title: 'attach stores the handler last',
    citation: inKernel('iommu_attach_device_pasid()', 'the handle is stored after set_dev_pasid()'),
    story:
      'The device asks for a page as soon as its PASID leads somewhere; its request finds no handler yet and is refused, although the space is attached.',
    expected: [rule('refused-while-attached')],
    parts: {
      attach: class extends IommuAttach {
        protected override *attachLocked(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
          yield* this.set_dev_pasid(device, pasid, handle);
          yield* this.storeHandle(device, pasid, handle);
        }
      },
    },
  },
  {
    id: 'prq-overflow-partial-kept',
    title: 'an overflow is cleared and partial groups stay',
    citation: inKernel('prq_event_thread(), iopf_queue_discard_partial()', 'IHI 0070 §8.1.1'),
    story:
      'The last request of a group was lost and answered by hardware; what is left of the group joins the next one that has its index.',
    expected: [rule('group-merged')],
    parts: {
      prq: class extends IntelPrq {
        protected override *handleOverflow(): Task {
          const { port } = this.kernel;
          if (yield* step('read PRS.PRO', () => port.overflow)) yield* this.clearOverflow();
        }
      },
    },
  },
  {
    id: 'prq-overflow-cleared-early',
    title: 'an overflow is cleared although the queue has filled again',
    citation: inKernel('prq_event_thread()', 'head and tail are read again before PRS.PRO is cleared; IHI 0070 §8.1.1'),
    story:
      'Requests came in behind those that the thread has looked at, until the queue overflowed. The overflow is cleared before they are looked at, so what they leave of a group is never discarded.',
    expected: [rule('group-merged')],
    parts: {
      prq: class extends IntelPrq {
        protected override *handleOverflow(): Task {
          const { port, pgfault } = this.kernel;
          if (!(yield* step('read PRS.PRO', () => port.overflow))) return;
          yield* pgfault.iopf_queue_discard_partial();
          yield* this.clearOverflow();
        }
      },
    },
  },
  {
    id: 'prq-interrupt-cleared-late',
    title: 'the interrupt is acknowledged after the queue was read',
    citation: inKernel('prq_event_thread()', 'PRS.PPR is cleared before the registers are read'),
    story:
      'What arrives between the last look at the queue and the acknowledgement is not looked at, and an overflow stays.',
    expected: [
      { monitor: 'deadlock', rule: 'lost-wake-up' },
      rule('unanswered'),
      { monitor: 'deadlock', rule: 'never-unlocked' },
    ],
    parts: {
      prq: class extends IntelPrq {
        protected override *wakeDrains(): Task {
          const { port } = this.kernel;
          yield* step('PRS.PPR := 0', () => {
            port.clearPending();
            return undefined;
          });
        }
      },
    },
  },
  {
    id: 'iopf-report-vs-release-uaf',
    title: 'a device that was found may go before its request is reported',
    citation: 'CVE-2024-35843; commit "iommu/vt-d: Use device rbtree in iopf reporting path"; iopf_lock, Linux 6.9',
    story:
      'The interrupt thread finds a device by its RequesterID and takes its fault parameters; meanwhile the device is released, and they are freed.',
    expected: [{ monitor: 'safety', rule: 'use-after-free' }],
    parts: {
      prq: class extends IntelPrq {
        protected override *handleRequest(code: number): Task {
          const { device: index, stop } = this.kernel.port.decode(code);
          if (stop) return;
          const device = yield* this.findDevice(index);
          if (device === undefined) yield* this.handle_bad_prq_event(code);
          else yield* this.kernel.pgfault.iommu_report_device_fault(device, code);
        }
      },
      pgfault: class extends IoPgfault {
        override *iommu_report_device_fault(device: IopfDevice, code: number): Task {
          const found = yield* device.param.load();
          if (found === 0) return yield* this.iopf_error_response(code);
          const { lock } = this.kernel.params.at(found);
          yield* lock.lock();
          yield* lock.unlock();
          yield* super.iommu_report_device_fault(device, code);
        }
      },
      attach: class extends IommuAttach {
        protected override *releaseLocked(device: IopfDevice): Task {
          yield* this.forgetDevice(device);
          yield* this.iopf_queue_remove_device(device);
        }
      },
    },
  },
  {
    id: 'iopf-response-not-once',
    title: 'a group is answered without a look at whether it has been',
    citation: inKernel('iopf_group_response()', 'pending_node under fault_param->lock'),
    story: 'The worker answers each request of a group instead of the group.',
    expected: [rule('response-not-asked'), rule('answered-unhandled')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *iommu_sva_handle_mm(group: IopfGroup, code: number): Task<boolean> {
          const handled = yield* super.iommu_sva_handle_mm(group, code);
          const { device, pasid, group: index } = this.kernel.port.decode(code);
          yield* this.kernel.prq.pageResponse(device, pasid, index, 'Success');
          return handled;
        }
      },
    },
  },
  {
    id: 'iopf-response-before-handling',
    title: 'a group is answered before its requests are looked after',
    citation: inKernel('iommu_sva_handle_iopf()', 'IHI 0070 §8, note on CMD_PRI_RESP'),
    story: 'The device is told to try again while its page is not present.',
    expected: [rule('answered-unhandled'), rule('unanswered')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *iommu_sva_handle_iopf(group: IopfGroup): Task {
          yield* this.iopf_group_response(group, true);
          yield* super.iommu_sva_handle_iopf(group);
        }
      },
    },
  },
  {
    id: 'iopf-partial-not-counted',
    title: 'a group does not hold the fault parameters of its device',
    citation: inKernel('iopf_group_alloc(), iopf_put_dev_fault_param()', 'users of struct iommu_fault_param'),
    story:
      'The device is released while a group of it is in the hands of the worker, and its fault parameters are freed.',
    expected: [
      { monitor: 'safety', rule: 'use-after-free' },
      { monitor: 'safety', rule: 'refcount-underflow' },
      { monitor: 'safety', rule: 'leak' },
    ],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *reportGroup(param: FaultParam, attached: AttachHandle, code: number): Task {
          yield* super.reportGroup(param, attached, code);
          yield* this.#put(param);
        }

        #put(param: FaultParam): Step<undefined> {
          return step('put fault_param', () => {
            if (param.users.decrement()) this.kernel.params.free(param.handle);
            return undefined;
          });
        }
      },
    },
  },
];
