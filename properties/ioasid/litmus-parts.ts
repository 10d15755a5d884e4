import type { Litmus } from '../family.ts';
import type { IoasidOperation } from './configuration.ts';
import { bind, failNth, litmus, on } from './litmus-of.ts';

const unbind: IoasidOperation = { op: 'unbind', owner: 0, device: 0 };
const adjust = (quota: number, owner = 0): IoasidOperation => ({ op: 'adjust', owner, quota });
const attachSpid = (spid = 1, owner = 0): IoasidOperation => ({ op: 'attachSpid', owner, spid });
const findSpid = (spid = 1, owner = 0): IoasidOperation => ({ op: 'findSpid', owner, spid });
const registerAllocator = (iommu: number): IoasidOperation => ({ op: 'registerAllocator', iommu });
const unregisterAllocator = (iommu: number): IoasidOperation => ({ op: 'unregisterAllocator', iommu });
const remove: IoasidOperation = { op: 'remove', device: 0 };
const probe: IoasidOperation = { op: 'probe', device: 0 };

const SETS = { sets: true, owners: 1 } as const;
const CHAINS = { chains: true, owners: 1, pasids: 1 } as const;
const CUSTOM = { custom: true, owners: 1 } as const;

/** Sets and guest PASIDs. */
const ABOUT_SETS: readonly Litmus[] = [
  litmus(
    'adjust-with-numbers',
    'the quota of a set is made smaller than what it has',
    [[on('alloc'), bind(), on('free'), on('alloc'), adjust(1), adjust(2)]],
    ['ioasid-adjust-below-allocated'],
    { ...SETS, quota: 2 },
  ),
  litmus('adjust', 'the quota of a set is made larger', [[adjust(2)]], ['ioasid-adjust-loses-capacity'], SETS),
  litmus(
    'adjust-against-close',
    'the quota of a set is made larger while another set goes',
    [[adjust(2)], [on('close', 1)]],
    ['ioasid-adjust-reads-early'],
    { sets: true, pasids: 3 },
  ),
  litmus(
    'set-after-close',
    'a set is looked for when its file was closed',
    [[on('close'), on('freeAll')]],
    ['ioasid-set-stays-findable'],
    SETS,
  ),
  litmus(
    'set-against-close',
    'a set is looked for while its file is closed',
    [[adjust(2)], [on('close')]],
    ['ioasid-set-found-without-reference'],
    SETS,
  ),
  litmus(
    'free-of-what-went',
    'a number goes with its set, comes to another owner, and is freed by the first',
    [[on('alloc'), on('freeAll'), on('alloc', 1), on('free')]],
    ['ioasid-free-of-any-set'],
    { sets: true },
  ),
  litmus(
    'free-twice',
    'a number that is bound is freed with its set, and by its owner',
    [[on('alloc'), bind(), on('freeAll'), on('free')]],
    ['ioasid-pending-freed-again'],
    SETS,
  ),
  litmus(
    'bind-against-free-of-set',
    'a set is freed while a device is being bound',
    [[on('alloc'), bind()], [on('freeAll')]],
    ['ioasid-bind-misses-free'],
    SETS,
  ),
  litmus(
    'spid-after-free',
    'a guest PASID is looked up that led to a number which another guest PASID has now',
    [[on('alloc'), attachSpid(1), findSpid(1), on('free'), on('alloc'), attachSpid(2), findSpid(1)]],
    ['ioasid-spid-left-after-free'],
    SETS,
  ),
  litmus(
    'spid-against-free',
    'a guest PASID is looked up while its number is freed and comes again',
    [[on('alloc'), attachSpid(1), on('free'), on('alloc')], [findSpid(1)]],
    ['ioasid-spid-not-looked-up-again'],
    { ...SETS, pasids: 1 },
  ),
  litmus(
    'spid-twice',
    'a number is given a second guest PASID, and a guest PASID a second number',
    [[on('alloc'), attachSpid(1), attachSpid(1)]],
    ['ioasid-spid-overwritten'],
    SETS,
  ),
  litmus(
    'spid-of-two-machines',
    'two machines use the same guest PASID',
    [[on('alloc'), attachSpid(), on('alloc', 1), attachSpid(1, 1), findSpid(1, 1)]],
    ['ioasid-spid-of-any-set'],
    { sets: true },
  ),
];

/** Listeners, and devices that go. */
const ABOUT_LISTENERS: readonly Litmus[] = [
  litmus(
    'notices',
    'a number is bound and freed, and everybody listens',
    [[on('alloc'), bind(), on('free')]],
    ['ioasid-priorities-swapped', 'ioasid-bind-order-not-reversed', 'ioasid-device-deaf-to-free'],
    CHAINS,
  ),
  litmus(
    'unregister-against-alloc',
    'KVM stops to listen while it is told',
    [[on('unregister')], [on('alloc')]],
    ['ioasid-listener-freed-at-once', 'ioasid-unregister-under-spinlock'],
    CHAINS,
  ),
  litmus(
    'register-late',
    'KVM begins to listen when there is a number',
    [[on('unregister'), on('alloc'), bind(), on('register')]],
    ['ioasid-register-without-replay'],
    CHAINS,
  ),
  litmus(
    'register-against-alloc',
    'KVM begins to listen while a number is allocated',
    [[on('unregister'), on('register')], [on('alloc')]],
    ['ioasid-replay-before-register'],
    CHAINS,
  ),
  litmus(
    'register-against-free',
    'KVM begins to listen while a number is freed',
    [[on('alloc'), bind(), on('unregister'), on('free'), on('register')]],
    ['ioasid-replay-of-pending'],
    CHAINS,
  ),
  litmus(
    'unregister-while-bound',
    'KVM stops to listen while a device is bound, and the number is freed',
    [[on('alloc'), bind(), on('unregister'), unbind]],
    ['ioasid-unregister-keeps-translation'],
    CHAINS,
  ),
  litmus(
    'removal-while-bound',
    'a device goes while it is bound, and comes back',
    [[on('alloc'), bind(), remove, probe]],
    ['ioasid-removal-leaves-bond'],
    { hotplug: true, owners: 1 },
  ),
  litmus(
    'removal-against-bind',
    'a device goes while it is being bound',
    [[on('alloc'), bind()], [remove]],
    ['ioasid-bind-after-removal'],
    { hotplug: true, owners: 1 },
  ),
  litmus(
    'removal-with-its-driver',
    'a device goes with its driver, while the number by which it is bound is freed',
    [[on('free')], [remove, probe]],
    ['ioasid-leaves-before-it-stops'],
    { ...CHAINS, hotplug: true, bound: true },
  ),
];

/** Allocators that ask a hypervisor. */
const ABOUT_ALLOCATORS: readonly Litmus[] = [
  litmus(
    'register-with-numbers',
    'a custom allocator is registered while a number of the default one is out',
    [[unregisterAllocator(0), on('alloc'), registerAllocator(0)]],
    ['ioasid-register-over-default'],
    CUSTOM,
  ),
  litmus(
    'unregister-with-numbers',
    'a custom allocator goes while its number is out',
    [[on('alloc'), unregisterAllocator(0), on('free'), unregisterAllocator(0)]],
    ['ioasid-unregister-with-numbers'],
    CUSTOM,
  ),
  litmus(
    'shared-allocators',
    'one of two allocators goes that share their numbers',
    [[registerAllocator(1), on('alloc'), unregisterAllocator(0), on('free')]],
    ['ioasid-shared-allocator-lost'],
    CUSTOM,
  ),
  litmus(
    'hypervisor-has-none',
    'the hypervisor has no number left',
    [[on('alloc'), on('alloc', 1)]],
    ['ioasid-default-while-custom', 'ioasid-vcmd-sleeps'],
    { custom: true },
  ),
  litmus(
    'alloc-fails-after-grant',
    'there is no memory for a number that the hypervisor has given',
    [[failNth(2), on('alloc')]],
    ['ioasid-vcmd-error-keeps-number'],
    { ...CUSTOM, faults: true },
  ),
];

const ROUND: Litmus = litmus(
  'next-number',
  'numbers go round, and bonds keep them',
  [[on('alloc'), bind(), on('free'), on('alloc'), on('free'), on('alloc')]],
  [],
  { policy: 'cyclic', owners: 1 },
);

/** The smallest programs about the parts that machines may have. */
export const PART_LITMUS: readonly Litmus[] = [...ABOUT_SETS, ...ABOUT_LISTENERS, ...ABOUT_ALLOCATORS, ROUND];
