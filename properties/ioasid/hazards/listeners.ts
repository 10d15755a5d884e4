import { step, type Step, type Task } from '../../../engine/step.ts';
import { DeviceDrivers, Hotplug, NotifierChains, type IoasidData } from '../../../impl/kernel/ioasid/index.ts';
import { asksEarly } from './asks-early.ts';
import { rule, safety, SERIES, type IoasidHazard } from './hazard.ts';

/** Mistakes in who hears of what, and of devices that go. */
export const LISTENER_HAZARDS: readonly IoasidHazard[] = [
  {
    id: 'ioasid-priorities-swapped',
    title: 'drivers of devices have the priority of KVM',
    citation: `${SERIES}: IOASID_PRIO_CPU, IOASID_PRIO_IOMMU, IOASID_PRIO_DEVICE`,
    story: 'Of a free the device hears first, while the guest can still submit work to it by the number.',
    expected: [rule('told-out-of-order')],
    parts: {
      chains: class extends NotifierChains {
        protected override freeUp(data: IoasidData): Task {
          return super.freeDown(data);
        }

        protected override freeDown(data: IoasidData): Task {
          return super.freeUp(data);
        }
      },
    },
  },
  {
    id: 'ioasid-bind-order-not-reversed',
    title: 'of a bind, too, the device hears last',
    citation: `${SERIES}: the order of priorities is that of taking down, and of BIND it is the other way round`,
    story: 'The guest can submit work by the number, and the device does not know it.',
    expected: [rule('told-out-of-order')],
    unbound: true,
    parts: {
      chains: class extends NotifierChains {
        override *binding(data: IoasidData): Task {
          yield* this.begin('BIND', data);
        }

        override *bind(data: IoasidData): Task<boolean> {
          yield* super.bind(data);
          for (let device = 0; device < this.kernel.layout.devices; device++)
            if (yield* this.#isBound(data, device)) yield* this.call('BIND', data, this.placeOfDevice(device));
          return true;
        }

        #isBound(data: IoasidData, device: number): Step<boolean> {
          return step(`dev${device} bound?`, () => this.kernel.svm.isBound(data));
        }
      },
    },
  },
  {
    id: 'ioasid-listener-freed-at-once',
    title: 'a listener is freed when it has left the chain',
    citation: 'atomic_notifier_chain_unregister(), Linux 6.1: synchronize_rcu()',
    story: 'A notice is being sent: the chain was read before, and the listener is called after.',
    expected: [safety('use-after-free')],
    parts: {
      chains: class extends NotifierChains {
        protected override *waitForCalls(): Task {}
      },
    },
  },
  {
    id: 'ioasid-register-without-replay',
    title: 'who begins to listen is not told of what is there',
    citation: `${SERIES}: ioasid_register_notifier_mm(), listeners that wait for their set`,
    story: 'KVM comes after the number and the bond; the guest can never submit work by it.',
    expected: [rule('event-lost')],
    parts: {
      chains: class extends NotifierChains {
        protected override *replay(): Task {}
      },
    },
  },
  {
    id: 'ioasid-replay-before-register',
    title: 'a listener is told of what is there before it is in the chain',
    citation: `${SERIES}: no event may be lost between registration and the first allocation`,
    story: 'A number is allocated after the replay and before the registration, and nobody tells.',
    expected: [rule('event-lost'), rule('notify-order'), rule('translated-unowned')],
    parts: {
      chains: class extends NotifierChains {
        override *register(place: number): Task<boolean> {
          const handle = yield* this.newListener(place);
          if (handle === 0) return false;
          yield* this.replay(place);
          yield* this.enter(place, handle);
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-replay-of-pending',
    title: 'a listener is told of numbers that are going',
    citation: `${SERIES}: IOASID_STATE_FREE_PENDING, no new reference after it`,
    story: 'The FREE was sent before; the listener takes the number for bound, and hears nothing any more.',
    expected: [rule('notify-order'), rule('translated-unowned')],
    parts: {
      chains: class extends NotifierChains {
        protected override isReplayed(): boolean {
          return true;
        }
      },
    },
  },
  {
    id: 'ioasid-unregister-keeps-translation',
    title: 'KVM stops to listen and goes on to translate',
    citation: `${SERIES}: KVM, PASID translation table`,
    story: 'The number is freed, KVM does not hear of it, and the guest submits work by it.',
    expected: [rule('notify-order'), rule('translated-unowned')],
    parts: {
      chains: class extends NotifierChains {
        protected override *quiesce(): Task {}
      },
    },
  },
  {
    id: 'ioasid-leaves-before-it-stops',
    title: 'a listener leaves the chain, and stops what it does with numbers when nobody calls it any more',
    citation: `${SERIES}: unregistration against FREE, which takes no mutex`,
    story: 'The number is freed between the two: nobody tells the listener, and the number goes back to the pool.',
    expected: [rule('notify-order'), rule('queue-by-freed'), rule('translated-unowned'), rule('event-lost')],
    parts: {
      chains: class extends NotifierChains {
        protected override *go(place: number): Task {
          yield* this.leave(place);
        }

        protected override *waitForCalls(place: number): Task {
          yield* super.waitForCalls(place);
          yield* this.quiesce(place);
        }
      },
    },
  },
  {
    id: 'ioasid-device-deaf-to-free',
    title: 'the driver of a device does not listen to FREE',
    citation: `${SERIES}: a device is the third listener`,
    story: 'Its work queue submits by a number that goes back to the pool.',
    expected: [rule('queue-by-freed')],
    parts: {
      drivers: class extends DeviceDrivers {
        override hears(...[notice, data, device]: Parameters<DeviceDrivers['hears']>): void {
          if (notice !== 'FREE') super.hears(notice, data, device);
        }
      },
    },
  },
  {
    id: 'ioasid-unregister-under-spinlock',
    title: 'a listener waits for those who call it where nobody may sleep',
    citation:
      'synchronize_rcu() under ioasid_allocator_lock; atomic_notifier_chain_unregister(), Linux 6.1, drops its lock first',
    story: 'Leaving the chain and waiting are one critical section of the allocator.',
    expected: [safety('sleep-in-atomic')],
    parts: {
      chains: class extends NotifierChains {
        protected override *waitForCalls(place: number): Task {
          yield* this.kernel.ioasid.locked(() => this.#wait(place));
        }

        *#wait(place: number): Task<number> {
          yield* super.waitForCalls(place);
          return 0;
        }
      },
    },
  },
  {
    id: 'ioasid-removal-leaves-bond',
    title: 'a device goes with what is bound to it',
    citation: 'intel_svm, Linux 6.1: sdev of a device that is released; iommu_release_device()',
    story: 'The entry of the device leads to the space as before; the device that comes next has it.',
    expected: [rule('reachable-after-removal')],
    parts: {
      hotplug: class extends Hotplug {
        protected override *leaveBonds(): Task<readonly number[]> {
          yield* step('bonds stay', () => undefined);
          return [];
        }
      },
    },
  },
  {
    id: 'ioasid-bind-after-removal',
    title: 'whether a device is there is asked before the lock is taken',
    citation: 'intel_svm_bind_gpasid(), Linux 6.1: pasid_mutex; iommu_release_device()',
    story: 'The device goes after the question, and is bound when it has gone.',
    expected: [rule('reachable-after-removal')],
    parts: { svm: asksEarly() },
  },
];
