import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent } from './events.ts';
import { PasidSetMonitor } from './pasid-sets.ts';

/** What the monitor says of the last event; nothing was wrong before. */
function verdict(events: readonly PasidEvent[]): string | undefined {
  const monitor = new PasidSetMonitor(new Store(), { pasids: 3, owners: 2, sets: 2, spids: 2 });
  let last: string | undefined;
  for (const event of events) {
    expect(last).toBeUndefined();
    last = monitor.on(event)?.message;
  }
  return last;
}

const alloc = (pasid = 1, owner = 0): PasidEvent => ({ type: 'pasid.alloc', pasid, owner });
const freed = (by = 0, pasid = 1): PasidEvent => ({ type: 'pasid.freed', pasid, by });
const reclaim: PasidEvent = { type: 'pasid.reclaim', pasid: 1 };
const set = (handle: number, quota: number, available: number): PasidEvent => ({
  type: 'pasid.set',
  set: handle,
  quota,
  available,
});
const spid = (number: number, pasid: number, owner = 0): PasidEvent => ({
  type: 'pasid.spid',
  owner,
  spid: number,
  pasid,
});
const found = (number: number, pasid: number, owner = 0): PasidEvent => ({
  type: 'pasid.found',
  owner,
  spid: number,
  pasid,
});

test.each<[string, readonly PasidEvent[], string | undefined]>([
  ['sets that come, change and go', [set(1, 1, 2), set(2, 2, 0), set(2, 1, 1), set(1, 0, 2), set(2, 0, 3)], undefined],
  [
    'a set that takes nothing',
    [set(1, 1, 2), set(2, 1, 2)],
    'Sets have 2 numbers and 2 are left, of 3 that there are.',
  ],
  [
    'a set that gives nothing back',
    [set(1, 1, 2), set(1, 0, 2)],
    'Sets have 0 numbers and 2 are left, of 3 that there are.',
  ],
  ['a number that is freed, and again in its next life', [alloc(), freed(), reclaim, alloc(), freed()], undefined],
  ['a number that is freed twice', [alloc(), freed(), freed()], 'PASID 1 of VM0 is freed, and was freed before.'],
  ['a number that another owner frees', [alloc(), freed(1)], 'VM1 frees PASID 1, and VM0 owns it.'],
  ['a number that somebody frees', [alloc(), freed(-1)], 'somebody else frees PASID 1, and VM0 owns it.'],
  [
    'a guest PASID that leads elsewhere in the end',
    [alloc(), alloc(2), spid(1, 1), found(1, 1), spid(1, 0), spid(1, 2), found(1, 2)],
    undefined,
  ],
  [
    'a guest PASID that leads to a second number',
    [alloc(), alloc(2), spid(1, 1), spid(1, 2)],
    'Guest PASID 1 of VM0 leads to PASID 2 from now on, and leads to 1.',
  ],
  [
    'the same guest PASID of two machines',
    [alloc(), alloc(2, 1), spid(1, 1), spid(1, 2, 1), found(1, 2, 1)],
    undefined,
  ],
  [
    'what was not attached',
    [alloc(), spid(1, 1), found(2, 1)],
    'Guest PASID 2 of VM0 is found to be PASID 1, and leads to none.',
  ],
  [
    'what leads elsewhere by now',
    [alloc(), alloc(2), spid(1, 2), found(1, 1)],
    'Guest PASID 1 of VM0 is found to be PASID 1, and leads to 2.',
  ],
  [
    'what was freed',
    [alloc(), spid(1, 1), freed(), found(1, 1)],
    'Guest PASID 1 of VM0 is found to be PASID 1, which has been freed.',
  ],
  [
    'what nobody has',
    [alloc(), spid(1, 1), freed(), reclaim, found(1, 1)],
    'Guest PASID 1 of VM0 is found to be PASID 1, which nobody owns.',
  ],
  [
    'what another machine has',
    [alloc(1, 1), found(1, 1)],
    'Guest PASID 1 of VM0 is found to be PASID 1, which VM1 owns.',
  ],
])('%s', (_what, events, message) => {
  expect(verdict(events)).toBe(message);
});
