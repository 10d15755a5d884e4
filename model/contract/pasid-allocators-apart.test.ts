import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidAllocatorMonitor } from './pasid-allocators.ts';

/** What the monitor says of the state after a sequence. */
function state(events: readonly PasidEvent[]): string | undefined {
  const monitor = new PasidAllocatorMonitor(new Store());
  for (const event of events) expect(monitor.on(event)).toBeUndefined();
  return monitor.check()?.message;
}

const custom = (active = true): PasidEvent => ({ type: 'pasid.allocator', custom: active });
const granted = (pasid: number, on = true): PasidEvent => ({ type: 'pasid.granted', pasid, on });
const alloc = (pasid: number): PasidEvent => ({ type: 'pasid.alloc', pasid, owner: 0 });
const reclaim = (pasid: number): PasidEvent => ({ type: 'pasid.reclaim', pasid });
const notGranted = (pasid: number): string => `PASID ${pasid} is out, and the hypervisor has not given it.`;
const lost = (pasid: number): string => `The hypervisor has given PASID ${pasid}, and no allocator can give it back.`;

test.each<[string, readonly PasidEvent[], string | undefined]>([
  ['the default allocator needs nobody', [alloc(1), alloc(2), reclaim(1)], undefined],
  [
    'a custom allocator gives out what it has been given',
    [custom(), granted(1), granted(3), alloc(3), alloc(1)],
    undefined,
  ],
  ['what it has not been given', [custom(), granted(1), alloc(1), alloc(3)], notGranted(3)],
  ['the first of several', [custom(), granted(2), alloc(3), alloc(1), alloc(2)], notGranted(1)],
  ['what was given back before it came back', [custom(), granted(2), alloc(2), granted(2, false)], notGranted(2)],
  [
    'what came back before it was given back',
    [custom(), granted(2), alloc(2), reclaim(2), granted(2, false)],
    undefined,
  ],
  ['numbers that are out when the allocator comes', [alloc(2), custom()], notGranted(2)],
  [
    'an allocator that goes with everything given back',
    [custom(), granted(1), granted(1, false), custom(false)],
    undefined,
  ],
  ['an allocator that goes without', [custom(), granted(2), granted(3), custom(false)], lost(2)],
  ['what else happens', [custom(), { type: 'pasid.returned', pasid: 1, owner: 0 }], undefined],
])('%s', (_what, events, message) => {
  expect(state(events)).toBe(message);
});
