import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  IommuAttach,
  IommuSva,
  ProcessMm,
  SvmDomains,
  type IopfDevice,
  type MmStruct,
  type SvaDomain,
} from '../../../impl/kernel/iopf/index.ts';
import { pasidCell } from '../../../impl/kernel/iopf/attach.ts';
import { inKernel, rule, type PrsHazard } from './hazard.ts';

const WALKED = rule('walked-after-exit');
const GONE = { monitor: 'safety', rule: 'use-after-free' };
const TWICE = { monitor: 'safety', rule: 'double-free' };
const UNDERFLOW = { monitor: 'safety', rule: 'refcount-underflow' };
const LIVE = { monitor: 'pasid', rule: 'reclaimed-while-live' };
const REACHABLE = { monitor: 'pasid', rule: 'reachable-after-unbind' };

/** Mistakes in how devices are bound to processes, and unbound. */
export const BOND_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'sva-handle-not-counted',
    title: 'a second bind gets the bond that there is, and does not count',
    citation: 'commit be51b1d6bbff "iommu/sva: Restore SVA handle sharing", Linux 6.8: users of struct iommu_sva',
    story: 'The first of two who use a bond releases it, and the other one has a handle that is freed.',
    expected: [GONE, UNDERFLOW, TWICE, { monitor: 'safety', rule: 'leak' }],
    parts: {
      life: {
        sva: class extends IommuSva {
          protected override iommu_attach_handle_get(device: IopfDevice, pasid: number): Step<number> {
            return step(`iommu_attach_handle_get(${device.name}, ${pasid})`, () => pasidCell(device, pasid).value);
          }
        },
      },
    },
  },
  {
    id: 'sva-bind-without-users',
    title: 'bind does not see to it that the address space stays',
    citation: inKernel('iommu_sva_bind_device()', 'its comment: the caller must hold a reference to mm_users'),
    story: 'The process exits between its registration with the notifier and the entry, which is live for good.',
    expected: [WALKED, GONE, { monitor: 'safety', rule: 'refcount-resurrected' }],
    parts: {
      life: {
        mm: class extends ProcessMm {
          override get_task_mm(...[{ name, alive }]: Parameters<ProcessMm['get_task_mm']>): Step<boolean> {
            return step(`${name} runs`, () => alive.value === 1);
          }

          override *put_task_mm(_mm: MmStruct): Task {}
        },
      },
    },
  },
  {
    id: 'svm-removed-before-cleared',
    title: 'unbind takes the device off the list of the domain, then clears its entry',
    citation: 'intel_iommu_remove_dev_pasid(), Linux 6.9; by reading: list_del(), then intel_pasid_tear_down_entry()',
    story: 'The process exits in between: release finds no device, and the page tables are freed under a live entry.',
    expected: [WALKED],
    parts: {
      life: {
        svm: class extends SvmDomains {
          override *remove_dev_pasid(domain: SvaDomain, device: IopfDevice, pasid: number): Task {
            yield* this.domain_remove_dev_pasid(domain, device);
            yield* this.clearEntry(domain, device, pasid);
            yield* this.flushEntry(device, pasid);
          }
        },
      },
    },
  },
  {
    id: 'svm-quiet-after-clear',
    title: 'release writes a quiet entry over one that unbind has cleared',
    citation:
      'arm_smmu_mm_release(), arm_smmu_remove_dev_pasid(), Linux 6.12; by recollection: the CD is cleared, then the master leaves the list',
    story: 'Unbind returns, and there is an entry of the process again, which nobody will clear.',
    expected: [LIVE, REACHABLE],
    parts: {
      life: {
        svm: class extends SvmDomains {
          protected override quietEntries(domain: SvaDomain, pasid: number): Step<number> {
            return step(`PASID entries of ${domain.name} := quiet`, () => {
              const listed = domain.devices.map((cell) => cell.value === 1);
              for (const [device, is] of listed.entries()) {
                if (is) this.kernel.port.writeEntry(device, pasid, this.spaceOf(domain));
                if (is) this.kernel.port.quietEntry(device, pasid);
              }
              return listed.reduce((set, is, device) => (is ? set | (1 << device) : set), 0);
            });
          }
        },
      },
    },
  },
  {
    id: 'prq-unbind-no-pasid-flush',
    title: 'unbind clears the entry and leaves what is cached of it',
    citation: inKernel('intel_pasid_tear_down_entry()', 'pasid_cache_invalidation_with_pasid()'),
    story:
      'The device goes on by the entry that the IOMMU has cached: after unbind has returned it reaches the process.',
    expected: [REACHABLE, LIVE, WALKED, rule('answered-after-detach'), rule('handled-after-detach'), GONE],
    parts: {
      life: {
        svm: class extends SvmDomains {
          override *remove_dev_pasid(domain: SvaDomain, device: IopfDevice, pasid: number): Task {
            yield* this.clearEntry(domain, device, pasid);
            yield* this.domain_remove_dev_pasid(domain, device);
          }
        },
      },
    },
  },
  {
    id: 'sva-unbind-lock-dropped',
    title: 'unbind drops its lock while it waits for page faults, and does not look again',
    citation:
      'intel_svm_drain_prq(), intel_svm_unbind_mm(), Linux 6.1: pasid_mutex is dropped around iopf_queue_flush_dev(), then list_empty(&svm->devs)',
    story:
      'Two devices of a process are unbound at once. Both find that the domain has no device any more, and free it.',
    expected: [GONE, TWICE, UNDERFLOW, { monitor: 'safety', rule: 'refcount-resurrected' }, REACHABLE, LIVE],
    parts: {
      life: {
        sva: class extends IommuSva {
          protected override *unbindLocked(device: IopfDevice, handle: number): Task {
            const { handles } = this.kernel;
            const space = yield* handles.at(handle).space.load();
            const pasid = yield* handles.at(handle).pasid.load();
            const domain = this.life.domains.at(yield* this.life.domainOf(handle));
            yield* step(`${domain.name}.users--`, () => {
              domain.users.value--;
              return undefined;
            });
            yield* this.lock.unlock();
            yield* this.detach(device, pasid, space);
            yield* this.lock.lock();
            yield* this.freeUnused(domain);
          }
        },
      },
    },
  },
  {
    id: 'drain-prq-lock-dropped',
    title: 'detach drops its mutex while it waits for page faults, and does not look again',
    citation:
      'intel_svm_drain_prq(), Linux 6.1, comment: it is unnecessary to hold pasid_mutex in iopf_queue_flush_dev(): what came of drain-prq-abba',
    story: 'A second detach of the same PASID runs in between: both free what was attached.',
    expected: [TWICE, GONE],
    parts: {
      attach: class extends IommuAttach {
        override *iommu_detach_device_pasid(device: IopfDevice, pasid: number): Task<boolean> {
          yield* device.group.lock();
          const found = yield* this.cell(device, pasid).load();
          if (found !== 0) {
            const handle = this.kernel.handles.at(found);
            yield* this.clearEntry(device, pasid, handle);
            yield* this.devtlb_invalidation(device);
            yield* device.group.unlock();
            yield* this.kernel.prq.intel_iommu_drain_pasid_prq(device, pasid);
            yield* device.group.lock();
            yield* this.eraseHandle(device, pasid);
            if (this.kernel.fault !== undefined) yield* this.kernel.fault.auto_response_faults(handle);
            yield* this.detached(device, pasid, handle);
          }
          yield* device.group.unlock();
          return found !== 0;
        }
      },
    },
  },
];
