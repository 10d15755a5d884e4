import { step, type Step, type Task } from '../../../engine/step.ts';
import {
  IntelSvm,
  Ioasid,
  KvmPasids,
  type IntelSvmObject,
  type IoasidData,
  type IoasidSet,
} from '../../../impl/kernel/ioasid/index.ts';
import { rule, safety, SERIES, type IoasidHazard } from './hazard.ts';

/** Mistakes in the allocator, its sets and its notifications. */
export const NUMBER_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'ioasid-alloc-error-returns-id',
    title: 'an allocation that fails returns the number that it has given back',
    citation: `${SERIES}, ioasid_alloc() (by reading; never merged)`,
    story: 'There is no memory for the number in its set; the number goes back, and is returned all the same.',
    expected: [rule('two-owners'), safety('use-after-free')],
    parts: {
      ioasid: class extends Ioasid {
        protected override afterFailedStore(id: number): number {
          return id;
        }
      },
    },
  },
  {
    id: 'ioasid-set-quota-lost',
    title: 'a set that goes keeps its quota',
    citation: `${SERIES}, ioasid_set_free_locked() (by reading; never merged)`,
    story: 'Sets come and go until no number is left for one, although none is in use.',
    expected: [safety('leak')],
    parts: {
      ioasid: class extends Ioasid {
        protected override dropSet(set: IoasidSet): void {
          if (set.open.value === 1 || set.count.value > 0 || set.users.value > 0) return;
          this.kernel.sets.free(set.handle);
        }
      },
    },
  },
  {
    id: 'ioasid-set-free-pending',
    title: 'a set goes when its owner closes it, with numbers that are free pending',
    citation: `${SERIES}: a set is freed with its last number`,
    story: 'The work drops the last reference to a number and looks for its set.',
    expected: [safety('use-after-free'), safety('double-free')],
    parts: {
      ioasid: class extends Ioasid {
        override *ioasid_set_put(set: IoasidSet): Task {
          yield* this.acquire();
          yield* step(`kfree(${set.name})`, () => {
            this.kernel.available.value += set.quota.value;
            this.kernel.sets.free(set.handle);
            return undefined;
          });
          yield* this.release();
        }
      },
    },
  },
  {
    id: 'ioasid-find-after-free',
    title: 'the data of a number is freed at once',
    citation: 'ioasid_find(), ioasid_free(), Linux 6.1: kfree_rcu()',
    story: 'A driver has found the data of a number without a lock when its last reference is dropped.',
    expected: [safety('use-after-free')],
    parts: {
      ioasid: class extends Ioasid {
        protected override *freeData(data: IoasidData): Task {
          yield* step(`kfree(${data.name})`, () => {
            this.kernel.datas.free(data.handle);
            return undefined;
          });
        }
      },
    },
  },
  {
    id: 'ioasid-bind-error-keeps-reference',
    title: 'a bind that fails keeps its reference to the number',
    citation: `${SERIES}: each reference is dropped by who took it`,
    story: 'There is no memory for the bond; the number is never free again.',
    expected: [safety('leak')],
    parts: {
      svm: class extends IntelSvm {
        protected override *findOrAlloc(id: number, data: number, device: number): Task<number> {
          const { svms, failNth } = this.kernel;
          const cell = this.cell(id);
          if ((yield* cell.load()) !== 0) return yield* super.findOrAlloc(id, data, device);
          return yield* step('kzalloc(svm)', () => {
            const handle = failNth.shouldFail() ? 0 : svms.alloc();
            if (handle === 0) return 0;
            svms.at(handle).data.value = data;
            cell.value = handle;
            return handle;
          });
        }
      },
    },
  },
  {
    id: 'ioasid-kvm-hears-last',
    title: 'KVM hears of a free after the IOMMU',
    citation: `${SERIES}: notifier priorities, CPU before IOMMU before device`,
    story: 'The bond is taken down while the guest can still submit work by the number.',
    expected: [rule('notify-order'), rule('translated-unowned'), rule('queue-by-freed')],
    parts: {
      ioasid: class extends Ioasid {
        protected override *notifyFree(data: IoasidData): Task {
          yield* this.kernel.svm.onFree(data);
          yield* this.kernel.kvm.onFree(data);
        }
      },
    },
  },
  {
    id: 'ioasid-kvm-not-told',
    title: 'KVM does not hear of an unbind',
    citation: `${SERIES}: KVM listens to UNBIND`,
    story: 'The last device is unbound, and the guest still submits work by the number.',
    expected: [rule('notify-order'), rule('translated-unowned')],
    parts: {
      kvm: class extends KvmPasids {
        override onUnbind(data: IoasidData): Step<undefined> {
          return step(`unbind of ${data.name}`, () => undefined);
        }

        override *onFree(data: IoasidData): Task {
          yield* super.onUnbind(data);
        }
      },
    },
  },
  {
    id: 'ioasid-kvm-hears-first',
    title: 'KVM hears of a bind before the IOMMU has done it',
    citation: `${SERIES}: notifier priorities, reversed for bind`,
    story: 'The guest submits work by a number that leads nowhere yet.',
    expected: [rule('notify-order')],
    parts: {
      svm: class extends IntelSvm {
        protected override *setEntry(svm: IntelSvmObject, data: IoasidData, device: number): Task<boolean> {
          yield* this.kernel.kvm.onBind(data);
          yield* this.writeEntry(svm, data, device);
          return true;
        }
      },
    },
  },
];
