import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  IommuSva,
  IoPgfault,
  MmuNotifiers,
  ProcessMm,
  SvmDomains,
  type IopfGroup,
  type IopfKernel,
  type MmStruct,
  type ProcessLife,
  type SvaDomain,
} from '../../../impl/kernel/iopf/index.ts';
import { inKernel, rule, type PrsHazard } from './hazard.ts';

const WALKED = rule('walked-after-exit');
const GONE = { monitor: 'safety', rule: 'use-after-free' };
const LIVE = { monitor: 'pasid', rule: 'reclaimed-while-live' };
const CYCLE = { monitor: 'deadlock', rule: 'lock-cycle' };
const STUCK = { monitor: 'deadlock', rule: 'never-unlocked' };

/** Mistakes in what is done when a process exits. */
export const EXIT_HAZARDS: readonly PrsHazard[] = [
  {
    id: 'pasid-freed-at-mmput',
    title: 'the PASID of a process is freed with its address space',
    citation:
      'mm_pasid_drop() in __mmput(), 701fac40384f "iommu/sva: Assign a PASID to mm on PASID allocation and free it on mm exit"; moved to __mmdrop() by "mm: Fix PASID use-after-free issue"',
    story:
      'The process exits, and its device is unbound later. Meanwhile the number is free: the next process that gets it is reached through the entry of the first one, or has its own entry taken away.',
    expected: [LIVE],
    parts: {
      life: {
        mm: class extends ProcessMm {
          override *finalMmput(mm: MmStruct): Task {
            yield* this.exit_mmap(mm);
            yield* this.life.pasids.mm_pasid_drop(mm);
            yield* this.mmdrop(mm);
          }
        },
      },
    },
  },
  {
    id: 'mm-release-quiet-cd',
    title: 'the entry of a process that exits is cleared instead of made quiet',
    citation:
      'arm_smmu_mm_release(), its comment: keep the CD valid to avoid C_BAD_CD events, but disable translation, Linux 6.1',
    story: 'The device is still bound and goes on; each of its accesses is told as an error of the device.',
    expected: [rule('error-while-bound')],
    parts: {
      life: {
        svm: class extends SvmDomains {
          protected override writeQuiet(device: number, pasid: number): void {
            this.kernel.port.writeEntry(device, pasid, -1);
          }
        },
      },
    },
  },
  {
    id: 'mm-release-missing',
    title: 'nobody tells the driver that a process exits',
    citation: inKernel('intel_mm_release()', 'its comment: called before the page tables are cleared'),
    story: 'The device is still bound, and walks page tables that are freed.',
    expected: [WALKED],
    parts: {
      life: {
        notifiers: class extends MmuNotifiers {
          protected override *release(): Task {}
        },
      },
    },
  },
  {
    id: 'mm-release-no-flush',
    title: 'the entry is made quiet, and what is cached of it stays',
    citation: inKernel('intel_pasid_tear_down_entry(), arm_smmu_write_cd_entry()', 'PASID cache; CMD_CFGI_CD'),
    story: 'The IOMMU goes on with the entry that it has cached, into page tables that are freed.',
    expected: [WALKED],
    parts: {
      life: {
        svm: class extends SvmDomains {
          override *mm_release(domain: SvaDomain): Task {
            yield* this.quietEntries(domain, yield* this.pasidOf(domain));
          }
        },
      },
    },
  },
  {
    id: 'mm-release-no-wait',
    title: 'what is cached of the entry is flushed by a work, for which nobody waits',
    citation: inKernel(
      'mmu_notifier_release()',
      'its comment: page tables are freed as soon as ->release() has returned',
    ),
    story: 'The page tables are freed before the work has run.',
    expected: [WALKED, LIVE, { monitor: 'pasid', rule: 'reachable-after-unbind' }, GONE],
    parts: { life: { svm: flushingLater() } },
  },
  {
    id: 'sva-mmu-notifier-free-srcu',
    title: 'a domain is freed as soon as its notifier is not found any more',
    citation: inKernel(
      'mmu_notifier_put(), intel_mm_free_notifier()',
      'the notifier goes after a grace period of SRCU',
    ),
    story: 'The process exits and is telling the notifier, which unbind frees.',
    expected: [GONE],
    parts: {
      life: {
        notifiers: class extends MmuNotifiers {
          override *mmu_notifier_put(domain: SvaDomain): Task {
            yield* this.hlist_del(domain);
            yield* this.mmu_notifier_free_rcu(domain);
          }
        },
      },
    },
  },
  {
    id: 'sva-notifier-not-counted',
    title: 'neither domain nor notifier holds the structure of the process',
    citation:
      'commit "iommu/arm-smmu-v3-sva: Fix mm use-after-free", Fixes 32784a9562fb; mmgrab() in iommu_sva_domain_alloc() and mmu_notifier_register(), Linux 6.12',
    story: 'The process exits and its structure is freed, which page faults and unbind still use.',
    expected: [GONE, LIVE],
    parts: { life: { notifiers: notCounting(), sva: notHolding() } },
  },
  {
    id: 'sva-handler-no-mmget',
    title: 'a page fault is handled without a reference to the address space',
    citation: inKernel('iommu_sva_handle_mm()', 'mmget_not_zero()'),
    story: 'The process exits, and pages are made present in an address space that is going.',
    expected: [rule('handled-after-exit')],
    parts: {
      pgfault: class extends IoPgfault {
        protected override *iommu_sva_handle_mm(group: IopfGroup, code: number): Task<boolean> {
          yield* this.handle_mm_fault(group, code);
          return true;
        }
      },
    },
  },
  {
    id: 'mm-release-takes-sva-lock',
    title: 'release takes the lock that unbind holds',
    citation:
      'arm_smmu_mm_release(), sva_lock, Linux 6.1; with a flush of the page-fault queue in unbind (iopf_queue_flush_dev()), and mmput() in the handler',
    story:
      'Unbind holds the lock and waits for the works of the page-fault queue. In one of these the last reference to the address space is dropped, so that it runs exit_mmap(), which waits for the lock.',
    expected: [CYCLE, STUCK],
    parts: {
      life: {
        svm: class extends SvmDomains {
          override *mm_release(domain: SvaDomain): Task {
            const { lock } = this.life.sva;
            yield* lock.lock();
            yield* super.mm_release(domain);
            yield* lock.unlock();
          }
        },
      },
    },
  },
  {
    id: 'mm-release-flushes-queue',
    title: 'release waits for the works of the page-fault queue',
    citation:
      '"iommu: Add a page fault handler" (2018), comment on mmput_async(): exit_mmap() would flush the fault queue that it is executed on',
    story:
      'A work drops the last reference to the address space, and so runs exit_mmap(), which waits for this very work.',
    expected: [CYCLE, STUCK, { monitor: 'deadlock', rule: 'lost-wake-up' }, rule('unanswered')],
    parts: {
      life: {
        svm: class extends SvmDomains {
          override *mm_release(domain: SvaDomain): Task {
            yield* super.mm_release(domain);
            yield* this.kernel.wq.flush();
          }
        },
      },
    },
  },
];

function flushingLater(): new (kernel: IopfKernel, life: ProcessLife) => SvmDomains {
  return class extends SvmDomains {
    readonly #flush: number;

    constructor(kernel: IopfKernel, life: ProcessLife) {
      super(kernel, life);
      this.#flush = kernel.wq.work((code) => this.#flushed(code));
    }

    override *mm_release(domain: SvaDomain): Task {
      const pasid = yield* this.pasidOf(domain);
      const devices = yield* this.quietEntries(domain, pasid);
      if (devices !== 0) yield* this.kernel.wq.queue(this.#flush, pasid * 4 + devices);
    }

    *#flushed(code: number): Task {
      for (const device of this.listed(code % 4)) yield* this.flushEntry(device, Math.floor(code / 4));
    }
  };
}

function notCounting(): new (kernel: IopfKernel, life: ProcessLife) => MmuNotifiers {
  return class extends MmuNotifiers {
    override mmu_notifier_register(mm: MmStruct, domain: SvaDomain): Step<undefined> {
      return step(`mmu_notifier_register(${domain.name}, ${mm.name})`, () => {
        mm.notifier.value = domain.handle;
        return undefined;
      });
    }

    protected override *mmu_notifier_free_rcu(domain: SvaDomain): Task {
      yield* this.free_notifier(domain);
    }
  };
}

function notHolding(): new (kernel: IopfKernel, life: ProcessLife) => IommuSva {
  return class extends IommuSva {
    protected override *iommu_sva_domain_alloc(mm: MmStruct): Task<number> {
      const domain = yield* super.iommu_sva_domain_alloc(mm);
      yield* step('no mmgrab()', () => {
        if (domain !== 0) mm.mm_count.value--;
        return undefined;
      });
      return domain;
    }

    protected override *iommu_domain_free(domain: SvaDomain): Task {
      yield* step(`list_del(${domain.name})`, () => {
        this.life.mms.at(domain.mm.value).domain.value = 0;
        return undefined;
      });
      yield* this.life.notifiers.mmu_notifier_put(domain);
    }
  };
}
