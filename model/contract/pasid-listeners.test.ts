import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent, PasidNotice } from './events.ts';
import { PasidListenerMonitor } from './pasid-listeners.ts';

/** PASID 1 of dev0 leads to its owner, or nowhere. */
interface Hardware {
  bound: boolean;
}

/** What the monitor says of the last event, of the state after it, and when nothing is under way. */
function verdicts(events: readonly (PasidEvent | Partial<Hardware>)[]) {
  const hardware: Hardware = { bound: false };
  const use = {
    entry: (device: number, pasid: number) => (hardware.bound && device === 0 && pasid === 1 ? 0 : -1),
    cached: () => 0,
  };
  const monitor = new PasidListenerMonitor(new Store(), { devices: 2, pasids: 2, owners: 2 }, use);
  let last: string | undefined;
  for (const event of events) {
    expect(last).toBeUndefined();
    if ('type' in event) last = monitor.on(event)?.message;
    else Object.assign(hardware, event);
  }
  return { last, state: monitor.check()?.message, end: monitor.atEnd()?.message };
}

const alloc = (owner = 0): PasidEvent => ({ type: 'pasid.alloc', pasid: 1, owner });
const freed: PasidEvent = { type: 'pasid.freed', pasid: 1, by: 0 };
const reclaim = (pasid = 1): PasidEvent => ({ type: 'pasid.reclaim', pasid });
const notice = (what: PasidNotice): PasidEvent => ({ type: 'pasid.notice', notice: what, pasid: 1 });
const told = (what: PasidNotice, rank: number, pasid = 1): PasidEvent => ({
  type: 'pasid.told',
  notice: what,
  pasid,
  rank,
});
const listens = (on = true): PasidEvent => ({ type: 'pasid.listens', owner: 0, on });
const heard = (on = true): PasidEvent => ({ type: 'pasid.heard', owner: 0, pasid: 1, on });
const translated = (pasid: number): PasidEvent => ({ type: 'pasid.translated', owner: 0, pasid });
const queue = (pasid: number): PasidEvent => ({ type: 'pasid.queue', device: 1, pasid });
const removed = (on: boolean): PasidEvent => ({ type: 'pasid.removed', device: 0, on });

test.each<[string, readonly PasidEvent[], string | undefined]>([
  [
    'a free from the CPU down',
    [notice('FREE'), told('FREE', 0), told('FREE', 1), told('FREE', 2), told('FREE', 2)],
    undefined,
  ],
  ['a bind from a device up', [notice('BIND'), told('BIND', 2), told('BIND', 0)], undefined],
  [
    'a bind after a bind',
    [notice('BIND'), told('BIND', 2), told('BIND', 0), notice('BIND'), told('BIND', 2)],
    undefined,
  ],
  ['notices of two numbers', [told('FREE', 2), told('FREE', 0, 2)], undefined],
  ['notices of two kinds', [told('FREE', 2), told('UNBIND', 0)], undefined],
  ['a free from a device up', [told('FREE', 2), told('FREE', 0)], 'the CPU hears FREE of PASID 1 after a device.'],
  [
    'an unbind with the IOMMU last',
    [told('UNBIND', 2), told('UNBIND', 1)],
    'the IOMMU hears UNBIND of PASID 1 after a device.',
  ],
  ['a bind from the CPU down', [told('BIND', 0), told('BIND', 2)], 'a device hears BIND of PASID 1 after the CPU.'],
  ['a queue that is stopped', [alloc(), queue(1), queue(0), reclaim()], undefined],
  ['a queue by another number', [alloc(), queue(1), reclaim(2)], undefined],
  [
    'a queue by what is reclaimed',
    [alloc(), queue(1), reclaim()],
    'PASID 1 goes back to the pool, and dev1 submits by it.',
  ],
])('%s', (_what, events, message) => {
  expect(verdicts(events).last).toBe(message);
});

test.each<[string, readonly (PasidEvent | Partial<Hardware>)[], string | undefined]>([
  ['nobody listens', [alloc(), { bound: true }], undefined],
  ['everything is heard', [listens(), alloc(), heard(), { bound: true }, translated(1)], undefined],
  ['a number that is going', [listens(), alloc(), heard(), freed, heard(false)], undefined],
  ['another owner has a number', [listens(), alloc(1), { bound: true }], undefined],
  ['a number is not heard of', [listens(), alloc()], 'KVM of VM0 listens, and has not heard that it has PASID 1.'],
  [
    'it was heard of before',
    [listens(), alloc(), heard(), listens(false), listens()],
    'KVM of VM0 listens, and has not heard that it has PASID 1.',
  ],
  [
    'a bond is not heard of',
    [listens(), alloc(), heard(), { bound: true }],
    'KVM of VM0 listens, and has not heard that PASID 1 is bound.',
  ],
  [
    'a bond that is no more',
    [listens(), alloc(), heard(), { bound: true }, translated(1), { bound: false }],
    undefined,
  ],
])('in the end: %s', (_what, events, message) => {
  expect(verdicts(events).end).toBe(message);
});

test('a device that has gone has no entry', () => {
  expect(verdicts([{ bound: true }]).state).toBeUndefined();
  expect(verdicts([removed(true)]).state).toBeUndefined();
  expect(verdicts([{ bound: true }, removed(true)]).state).toBe('dev0 has gone, and its PASID 1 leads somewhere.');
  expect(verdicts([{ bound: true }, removed(true), removed(false)]).state).toBeUndefined();
});
