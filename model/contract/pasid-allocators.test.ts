import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidAllocatorMonitor } from './pasid-allocators.ts';

const custom = (on = true): PasidEvent => ({ type: 'pasid.allocator', custom: on });
const granted = (pasid: number, on = true): PasidEvent => ({ type: 'pasid.granted', pasid, on });
const alloc = (pasid: number): PasidEvent => ({ type: 'pasid.alloc', pasid, owner: 0 });
const reclaim = (pasid: number): PasidEvent => ({ type: 'pasid.reclaim', pasid });

test.each<[string, readonly PasidEvent[], string | undefined]>([
  ['numbers of the default allocator', [alloc(1)], undefined],
  [
    'numbers that are given, and given back',
    [custom(), granted(2), alloc(2), granted(2, false), reclaim(2)],
    undefined,
  ],
  ['a number that is given and not out yet', [custom(), granted(2)], undefined],
  ['the default comes back when nothing is out', [custom(), granted(2), granted(2, false), custom(false)], undefined],
  [
    'a number that is not given',
    [custom(), granted(2), alloc(3)],
    'PASID 3 is out, and the hypervisor has not given it.',
  ],
  ['a number of the default that is out', [alloc(1), custom()], 'PASID 1 is out, and the hypervisor has not given it.'],
  [
    'a number that is given back and out',
    [custom(), granted(2), alloc(2), granted(2, false)],
    'PASID 2 is out, and the hypervisor has not given it.',
  ],
  [
    'an allocator that goes before its numbers',
    [custom(), granted(3), granted(2), custom(false)],
    'The hypervisor has given PASID 2, and no allocator can give it back.',
  ],
])('%s', (_what, events, message) => {
  const monitor = new PasidAllocatorMonitor(new Store());
  for (const event of events) expect(monitor.on(event)).toBeUndefined();
  expect(monitor.check()?.message).toBe(message);
});
