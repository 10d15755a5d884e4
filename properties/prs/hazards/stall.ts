import { step, type Task } from '../../../engine/step.ts';
import {
  IommuAttach,
  IoPgfault,
  SmmuEvtq,
  type AttachHandle,
  type FaultParam,
  type IopfDevice,
} from '../../../impl/kernel/iopf/index.ts';
import { rule, type PrsHazard } from './hazard.ts';

const LATE = [
  { monitor: 'safety', rule: 'use-after-free' },
  rule('answered-after-detach'),
  rule('handled-after-detach'),
  rule('wrong-space'),
  rule('refused-while-attached'),
];

/** Mistakes where an SMMU stalls what it cannot translate. */
export const STALL_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'smmu-detach-no-drain',
    title: 'detach waits neither for the event queue nor for the works',
    citation:
      'drivers/iommu/arm/arm-smmu-v3, Linux 7.2; by reading: nothing there calls iopf_queue_flush_dev(), and nothing waits for the event queue',
    story:
      'A transaction has stalled when its PASID is detached. Its record is read later: by then the PASID has another owner, or a worker has a handle that is freed.',
    expected: LATE,
    parts: {
      evtq: class extends SmmuEvtq {
        override *intel_iommu_drain_pasid_prq(): Task {}
      },
    },
  },
  {
    id: 'smmu-drain-by-cons',
    title: 'a drain takes an empty event queue for the end',
    citation: 'queue_remove_raw(), arm_smmu_evtq_thread(), Linux 6.12: CONS moves on before the record is looked after',
    story:
      'The thread has a record in its hands, which is in the queue no more; its group reaches a worker after detach.',
    expected: LATE,
    parts: {
      evtq: class extends SmmuEvtq {
        protected override isInHand(): boolean {
          return false;
        }
      },
    },
  },
  {
    id: 'smmu-stall-term',
    title: 'detach terminates what is stalled instead of waiting for it',
    citation: 'IHI 0070 §3.12.2 (a STAG may be used again once it is acknowledged), CMD_STALL_TERM',
    story:
      'Detach ends all stalls of the stream, those of other PASIDs too, and their tags are free. Groups of them are still with the worker, which resumes by tag.',
    expected: [rule('response-not-asked'), rule('answered-unhandled'), rule('response-wrong-pasid'), ...LATE],
    parts: {
      attach: class extends IommuAttach {
        protected override *remove_dev_pasid(device: IopfDevice, pasid: number, handle: AttachHandle): Task {
          yield* this.clearEntry(device, pasid, handle);
          yield* this.devtlb_invalidation(device);
          yield* step(`CMD_STALL_TERM(${device.name})`, () => {
            if (this.kernel.layout.stall) this.kernel.port.terminate(device.index);
            return undefined;
          });
          yield* this.eraseHandle(device, pasid);
          yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
        }
      },
    },
  },
  {
    id: 'smmu-resume-twice',
    title: 'a transaction that was aborted is aborted again by the driver',
    citation:
      'arm_smmu_handle_evt(), Linux 6.1 ("nobody cared, abort the access"), over iommu_report_device_fault() of Linux 6.12, which answers by itself',
    story:
      'The page-fault queue has no memory for a stalled transaction and aborts it; its tag goes to the next one, and the driver aborts what has the tag.',
    expected: [rule('response-not-asked'), rule('refused-while-attached'), rule('response-wrong-pasid')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *abortGroup(param: FaultParam, code: number): Task {
          yield* super.abortGroup(param, code);
          if (this.kernel.layout.stall) yield* this.iopf_error_response(code);
        }
      },
    },
  },
];
