import { Mutex } from '../../../engine/sync/lock.ts';
import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  CyclicIoasid,
  DESIGNS,
  IntelSvm,
  Ioasid,
  VfioOwners,
  type IntelSvmObject,
  type IoasidData,
  type IoasidKernel,
  type Owner,
} from '../../../impl/kernel/ioasid/index.ts';
import { rule, safety, SERIES, type IoasidHazard } from './hazard.ts';

/** Mistakes in how free and unbind go together. */
export const FREE_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'ioasid-free-before-unbind',
    title: 'a number is free as soon as its owner frees it, whoever uses it',
    citation: `ioasid_free(), Linux 6.1; ${SERIES}`,
    story:
      'The file of a virtual machine is closed while devices are bound by its number; the next owner gets the number, and the devices go on.',
    expected: [rule('reclaimed-while-live'), rule('translated-unowned'), rule('reused-while-live')],
    parts: {
      ioasid: class extends Ioasid {
        override *ioasid_free(id: number, set = 0): Task {
          yield* this.acquire();
          const handle = yield* this.markPending(id, set);
          if (handle !== 0) yield* this.ioasid_do_free_locked(this.kernel.datas.at(handle));
          yield* this.release();
        }

        override *ioasid_put(): Task {}
      },
    },
  },
  {
    id: 'ioasid-cyclic-wraps',
    title: 'numbers go round, and nothing else keeps a number from its next owner',
    citation: `${SERIES}: a cyclic allocator`,
    story:
      'A number that was freed while a device is bound by it comes round again after as many allocations as there are numbers.',
    expected: [rule('reused-while-live'), rule('wrong-space'), rule('notify-order'), rule('queue-by-freed')],
    parts: { ioasid: CyclicIoasid },
    lenient: true,
  },
  {
    id: 'ioasid-atomic-context-free',
    title: 'the allocator has a mutex, and numbers are freed in softirq',
    citation:
      'iommu list: BUG: sleeping function called from invalid context, ioasid_free() in an SRCU callback of an mmu notifier',
    story:
      'A process exits; its mmu notifier is freed by call_srcu(), and the callback takes the mutex of the allocator.',
    expected: [safety('sleep-in-atomic')],
    parts: {
      ioasid: class extends Ioasid {
        protected override makeLock(): Mutex {
          return new Mutex(this.kernel.machine, 'ioasid_allocator_lock');
        }
      },
    },
  },
  {
    id: 'ioasid-notifier-sleeps',
    title: 'the IOMMU takes a bond down where it hears of the free',
    citation: `${SERIES}: the FREE notifier is atomic, what it asks for sleeps`,
    story: 'The chain runs under the spinlock of the allocator; the listener takes a mutex and waits for flushes.',
    expected: [safety('sleep-in-atomic')],
    parts: { svm: DESIGNS.mutex.svm as new (kernel: IoasidKernel) => IntelSvm },
  },
  {
    id: 'ioasid-mutex-abba',
    title: 'the blocking chain runs under the lock of the allocator',
    citation: `${SERIES}: a mutex instead of the spinlock`,
    story: 'Free holds the lock of the allocator and waits for pasid_mutex; bind holds that and waits for a reference.',
    expected: [
      { monitor: 'deadlock', rule: 'lock-cycle' },
      { monitor: 'deadlock', rule: 'never-unlocked' },
    ],
    parts: {
      ioasid: class extends Ioasid {
        protected override makeLock(): Mutex {
          return new Mutex(this.kernel.machine, 'ioasid_allocator_lock');
        }
      },
    },
    design: 'mutex',
  },
  {
    id: 'ioasid-owner-forgets-device',
    title: 'VFIO unbinds the first device, and frees',
    citation: `${SERIES}: VFIO ensures unbind before free`,
    story: 'Whoever has to unbind everything must know everything that is bound.',
    expected: [safety('leak'), rule('reclaimed-while-live')],
    parts: {
      vfio: class extends VfioOwners {
        protected override *freeNumber(owner: Owner): Task<boolean> {
          const id = yield* owner.pasid.load();
          if (id !== 0) yield* this.unbindLocked(owner, 0);
          return yield* super.freeNumber(owner);
        }
      },
    },
    design: 'owner',
  },
  {
    id: 'ioasid-free-vs-unbind-work-uaf',
    title: 'the work has a pointer to the bond, and no reference',
    citation: `${SERIES}, "iommu/vt-d: Listen to IOASID notifications" (by reading; never merged)`,
    story: 'Unbind frees the bond before the work runs; the work uses it, and drops a reference that was dropped.',
    expected: [safety('use-after-free'), safety('double-free'), safety('refcount-underflow')],
    parts: { svm: workWithPointer() },
  },
  {
    id: 'ioasid-unbind-by-number',
    title: 'unbind takes down whatever is bound by its number',
    citation: 'commit "mm: Fix PASID use-after-free issue" (Fixes 701fac40384f), iommu list; mm_pasid_drop()',
    story:
      'A number was freed with the address space, and another owner has it by the time that the file is released: unbind clears the entry of that one.',
    expected: [rule('unbound-by-another')],
    parts: {
      svm: class extends IntelSvm {
        protected override isMeant(): boolean {
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-work-puts-first',
    title: 'the work drops the references before it takes the bond down',
    citation: `${SERIES}: the number goes back to the pool when everything is cleaned up`,
    story: 'The number is in the pool while its entries are still there.',
    expected: [rule('reclaimed-while-live'), safety('use-after-free')],
    parts: {
      svm: class extends IntelSvm {
        protected override *free_async_fn(handle: number): Task {
          const { pasidMutex, datas, ioasid, svms } = this.kernel;
          const data = datas.at(handle);
          yield* pasidMutex.lock();
          const svm = yield* this.lookUpAgain(data);
          if (svm !== 0) yield* ioasid.ioasid_put(data);
          if (svm === 0) yield* ioasid.ioasid_put(data);
          else {
            yield* this.#takeDownLate(svms.at(svm), data);
          }
          yield* pasidMutex.unlock();
        }

        *#takeDownLate(svm: IntelSvmObject, data: IoasidData): Task {
          const devices = yield* svm.devices.load();
          const id = yield* data.id.load();
          yield* this.kernel.ioasid.ioasid_put(data);
          for (let device = 0; device < this.kernel.layout.devices; device++) {
            if ((devices & (1 << device)) === 0) continue;
            yield* this.tear_down_entry(id, device);
            yield* this.removeDevice(svm, id, device);
          }
        }
      },
    },
  },
  {
    id: 'ioasid-no-flush',
    title: 'a bond goes without a flush',
    citation: 'intel_pasid_tear_down_entry(), Linux 6.1: PASID cache, IOTLB, device-TLB, then page requests',
    story:
      'The entry is cleared, and what is cached of it stays: the device reaches the space after unbind, or after the number was given away.',
    expected: [rule('reachable-after-unbind'), rule('reclaimed-while-live')],
    parts: {
      svm: class extends IntelSvm {
        protected override *flush(): Task {}
      },
    },
  },
];

function workWithPointer(): new (kernel: IoasidKernel) => IntelSvm {
  return class extends IntelSvm {
    readonly #pointerWork: number;

    constructor(kernel: IoasidKernel) {
      super(kernel);
      this.#pointerWork = kernel.wq.work((handle) => this.#takeDownBond(handle));
    }

    override *onFree(data: IoasidData): Task {
      const found = yield* this.#bondOf(data);
      if (found !== 0) yield* this.kernel.wq.queue(this.#pointerWork, found);
    }

    #bondOf(data: IoasidData): Step<number> {
      return step(`bond of ${data.name}?`, () => this.cell(data.id.value).value);
    }

    *#takeDownBond(handle: number): Task {
      const { pasidMutex, datas, ioasid, svms } = this.kernel;
      const svm = svms.at(handle);
      yield* pasidMutex.lock();
      const data = datas.at(yield* svm.data.load());
      yield* this.takeDown(svm, data);
      yield* pasidMutex.unlock();
      yield* ioasid.ioasid_put(data);
    }
  };
}
