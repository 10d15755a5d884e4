import { step, type Task } from '../../../engine/step.ts';
import { IommuAttach, IommufdFault, type AttachHandle, type IopfDevice } from '../../../impl/kernel/iopf/index.ts';
import { rule, type PrsHazard } from './hazard.ts';

const GONE = { monitor: 'safety', rule: 'use-after-free' };
const SOURCE = 'drivers/iommu/iommufd/eventq.c, Linux 7.2';

/** Mistakes in the fault object, by which user space looks after page requests. */
export const FAULT_OBJECT_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'iommufd-fault-detach-unanswered',
    title: 'detach answers the groups that nobody has read, and no others',
    citation: `iommufd_auto_response_faults(), ${SOURCE}`,
    story:
      'User space has read a group and not answered it when its device is detached; its handle is freed, and the answer comes later, or never.',
    expected: [GONE, rule('unanswered'), rule('handled-after-detach'), rule('answered-after-detach')],
    parts: {
      fault: class extends IommufdFault {
        protected override *takeRead(): Task<string> {
          return yield* step('groups in response are left', () => '');
        }
      },
    },
  },
  {
    id: 'iommufd-fault-read-unlocked',
    title: 'a group that is being read is in no list, and no lock is held',
    citation: `iommufd_fault_fops_read(), iommufd_auto_response_faults(), ${SOURCE}: fault->mutex is over both`,
    story: 'Detach looks in both lists while a group is on its way from one to the other.',
    expected: [GONE, rule('handled-after-detach'), rule('answered-after-detach')],
    parts: {
      fault: class extends IommufdFault {
        override *fops_read(faults: boolean): Task<number> {
          const group = yield* this.deliver_fetch();
          if (group === 0) return -1;
          return faults ? yield* this.deliver_restore(group) : yield* this.handOver(group);
        }
      },
    },
  },
  {
    id: 'iommufd-fault-no-restore',
    title: 'a group that could not be handed over is dropped',
    citation: `iommufd_fault_deliver_restore(), ${SOURCE}`,
    story: 'copy_to_user() fails, and nobody hears of the group again: the device waits for ever.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered'), { monitor: 'safety', rule: 'leak' }],
    parts: {
      fault: class extends IommufdFault {
        protected override *deliver_restore(): Task<number> {
          return yield* step('the group is left', () => -1);
        }
      },
    },
  },
  {
    id: 'iommufd-fault-cookie-twice',
    title: 'a group is looked up by its cookie, and taken out later',
    citation: `iommufd_fault_fops_write(), ${SOURCE}: xa_erase() returns a group once`,
    story: 'Two writers give the same cookie; both find the group, and both answer and free it.',
    expected: [
      GONE,
      { monitor: 'safety', rule: 'double-free' },
      rule('answered-unhandled'),
      rule('response-not-asked'),
    ],
    parts: {
      fault: class extends IommufdFault {
        override *fops_write(cookie: number): Task<boolean> {
          const cell = this.cookieCell(cookie);
          const handle = yield* step(`xa_load(response, ${cookie})`, () => cell.value);
          if (handle === 0) return false;
          yield* this.answer(this.kernel.groups.at(handle));
          yield* step(`xa_erase(response, ${cookie})`, () => {
            cell.value = 0;
            return undefined;
          });
          return true;
        }
      },
    },
  },
  {
    id: 'iommufd-fault-by-pasid',
    title: 'detach finds groups by their PASID',
    citation: `iommufd_auto_response_faults(), ${SOURCE}: groups are found by their handle`,
    story: 'Two devices use one PASID number; detach of one of them refuses what the other asks for.',
    expected: [rule('refused-while-attached')],
    parts: {
      fault: class extends IommufdFault {
        protected override isOf(group: number, handle: AttachHandle): boolean {
          const { groups, port } = this.kernel;
          return port.decode(groups.at(group).last.value).pasid === handle.pasid.value;
        }
      },
    },
  },
  {
    id: 'iommufd-fault-answered-late',
    title: 'detach frees the handle, then answers what is left',
    citation: `iommufd_hwpt_detach_device(), ${SOURCE.replace('eventq.c', 'device.c')}`,
    story: 'User space reads a group after its handle was freed and before it is refused.',
    expected: [rule('answered-after-detach'), GONE],
    parts: {
      attach: class extends IommuAttach {
        override *iommu_detach_device_pasid(device: IopfDevice, pasid: number): Task<boolean> {
          yield* device.group.lock();
          const found = yield* this.cell(device, pasid).load();
          if (found !== 0) {
            const handle = this.kernel.handles.at(found);
            yield* this.remove_dev_pasid(device, pasid, handle);
            yield* this.detached(device, pasid, handle);
            if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(handle);
          }
          yield* device.group.unlock();
          return found !== 0;
        }
      },
    },
  },
  {
    id: 'iommufd-fault-close-unanswered',
    title: 'who looks after requests goes, and nothing is done about what it was given',
    citation: `iommufd_eventq_fops_release(), ${SOURCE}; by reading: it drops references, and groups are answered by detach, or iommufd_fault_destroy()`,
    story: 'The file is closed while the device stays attached. Groups wait for nobody, and so does the device.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered'), { monitor: 'safety', rule: 'leak' }],
    parts: {
      fault: class extends IommufdFault {
        override *fops_release(): Task {}
      },
    },
  },
  {
    id: 'iommufd-fault-close-delivered-only',
    title: 'close answers the groups that nobody has read, and no others',
    citation: `iommufd_fault_destroy(), ${SOURCE}: both lists`,
    story: 'A group that has been read is left in response, where nobody can answer it any more.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered'), { monitor: 'safety', rule: 'leak' }],
    parts: {
      fault: class extends IommufdFault {
        protected override *takeAll(): Task<string> {
          return yield* step('all groups in deliver', () => {
            this.shut();
            return this.deliver.take(() => true).join(' ');
          });
        }
      },
    },
  },
  {
    id: 'iommufd-fault-close-not-refused',
    title: 'close answers what there is, and goes on to take groups',
    citation: `iommufd_fault_iopf_handler(), ${SOURCE}: it does not know whether the file is open`,
    story: 'A request comes after close; its group waits for somebody to read it, and nobody will.',
    expected: [{ monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered'), { monitor: 'safety', rule: 'leak' }],
    parts: {
      fault: class extends IommufdFault {
        protected override shut(): void {}
      },
    },
  },
];
