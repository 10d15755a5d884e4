import type { Litmus } from '../family.ts';
import type { IoasidOperation } from './configuration.ts';
import { bind, failNth, litmus, on } from './litmus-of.ts';
import { PART_LITMUS } from './litmus-parts.ts';

const unbind: IoasidOperation = { op: 'unbind', owner: 0, device: 0 };

/** The smallest program for each way in which numbers can go wrong. */
export const IOASID_LITMUS: readonly Litmus[] = [
  litmus(
    'free-while-bound',
    'a number is freed while a device is bound by it',
    [[on('alloc'), bind(), on('free')]],
    [
      'ioasid-free-before-unbind',
      'ioasid-notifier-sleeps',
      'ioasid-work-puts-first',
      'ioasid-no-flush',
      'ioasid-kvm-hears-last',
      'ioasid-kvm-hears-first',
    ],
  ),
  litmus(
    'close-while-bound',
    'a file is closed while a device is bound',
    [[on('alloc'), bind(), on('close')]],
    ['ioasid-set-free-pending'],
  ),
  litmus(
    'exit-of-owner',
    'a number is freed in an SRCU callback',
    [[on('alloc'), on('exit')]],
    ['ioasid-atomic-context-free'],
  ),
  litmus(
    'free-against-bind',
    'one owner frees while another one binds',
    [
      [on('alloc'), bind(), on('free')],
      [on('alloc', 1), { op: 'bind', owner: 1, device: 0 }],
    ],
    ['ioasid-mutex-abba'],
    { design: 'mutex' },
  ),
  litmus(
    'free-with-two-devices',
    'two devices are bound by a number that is freed',
    [[on('alloc'), bind(), bind(1), on('free')]],
    ['ioasid-owner-forgets-device'],
    { design: 'owner', devices: 2 },
  ),
  litmus(
    'unbind-against-free',
    "a device is unbound when its number was freed, and may be somebody else's",
    [[on('alloc'), bind(), on('free'), unbind]],
    ['ioasid-free-vs-unbind-work-uaf'],
  ),
  litmus(
    'unbind-after-reuse',
    'a device is unbound from a number that another owner has by now',
    [[on('alloc'), bind(), on('free'), on('alloc', 1), { op: 'bind', owner: 1, device: 0 }, unbind]],
    ['ioasid-unbind-by-number'],
    { pasids: 2 },
  ),
  litmus('unbind', 'a device is unbound', [[on('alloc'), bind(), unbind]], ['ioasid-kvm-not-told']),
  litmus(
    'alloc-fails-late',
    'there is no memory for the number in its set',
    [[failNth(2), on('alloc')]],
    ['ioasid-alloc-error-returns-id'],
    { faults: true },
  ),
  litmus(
    'bind-fails',
    'there is no memory for a bond',
    [[on('alloc'), failNth(1), bind(), on('free')]],
    ['ioasid-bind-error-keeps-reference'],
    { faults: true },
  ),
  litmus('close', 'a file is closed', [[on('close')]], ['ioasid-set-quota-lost']),
  litmus(
    'find-against-free',
    'a number is looked up while it is freed',
    [[on('alloc'), on('free')], [on('find')]],
    ['ioasid-find-after-free'],
  ),
  litmus(
    'numbers-go-round',
    'a number is freed while bound, and as many are allocated as there are',
    [[on('alloc'), bind(), on('free'), on('alloc'), on('free'), on('alloc')]],
    ['ioasid-cyclic-wraps'],
    { design: 'deferred' },
  ),
  litmus(
    'tear-down',
    'an entry is torn down when a number is freed',
    [[on('alloc'), bind(), on('free')]],
    [
      'vtd-pasid-cache-not-flushed',
      'vtd-iotlb-not-flushed',
      'vtd-devtlb-not-flushed',
      'vtd-qi-no-wait',
      'vtd-flush-before-clear',
      'vtd-devtlb-before-iotlb',
      'vtd-iotlb-before-pasid-cache',
      'vtd-piotlb-no-granularity',
      'vtd-devtlb-without-pasid',
      'vtd-pasid-entry-torn',
      'vtd-pasid-entry-present-first',
    ],
    { table: 'vtd' },
  ),
  litmus(
    'tear-down-nested',
    'an entry with two stages is torn down when a number is freed',
    [[on('alloc'), bind(), on('free')]],
    ['vtd-teardown-wrong-flush-type', 'vtd-teardown-wrong-did'],
    { table: 'vtd-nested' },
  ),
  litmus(
    'tear-down-smmu',
    'a context descriptor goes when a number is freed',
    [[on('alloc'), bind(), on('free')]],
    [
      'smmu-pasid-no-cfgi-cd',
      'smmu-pasid-no-cfgi-sync',
      'smmu-pasid-no-tlbi',
      'smmu-pasid-no-atc-inv',
      'smmu-pasid-atc-inv-first',
      'smmu-pasid-tlbi-first',
      'smmu-pasid-flush-before-clear',
    ],
    { table: 'smmu' },
  ),
  ...PART_LITMUS,
];
