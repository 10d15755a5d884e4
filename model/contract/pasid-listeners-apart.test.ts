import { describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PasidEvent, PasidNotice } from './events.ts';
import { PasidListenerMonitor } from './pasid-listeners.ts';

const WORLD = { devices: 2, pasids: 2, owners: 2 };

/** The monitor after a sequence, in which nothing was wrong; `bound`: the entries that there are, as "device/pasid". */
function after(events: readonly PasidEvent[], bound: readonly string[] = []): PasidListenerMonitor {
  const use = {
    entry: (device: number, pasid: number) => (bound.includes(`${device}/${pasid}`) ? 0 : -1),
    cached: () => 0,
  };
  const monitor = new PasidListenerMonitor(new Store(), WORLD, use);
  for (const event of events) expect(monitor.on(event)).toBeUndefined();
  return monitor;
}

const notice = (what: PasidNotice, pasid = 1): PasidEvent => ({ type: 'pasid.notice', notice: what, pasid });
const told = (what: PasidNotice, rank: number, pasid = 1): PasidEvent => ({
  type: 'pasid.told',
  notice: what,
  pasid,
  rank,
});
const alloc = (pasid: number, owner: number): PasidEvent => ({ type: 'pasid.alloc', pasid, owner });
const listens = (owner: number, on = true): PasidEvent => ({ type: 'pasid.listens', owner, on });
const heard = (owner: number, pasid: number, on = true): PasidEvent => ({ type: 'pasid.heard', owner, pasid, on });
const translated = (owner: number, pasid: number): PasidEvent => ({ type: 'pasid.translated', owner, pasid });
const queue = (device: number, pasid: number): PasidEvent => ({ type: 'pasid.queue', device, pasid });
const removed = (device: number, on = true): PasidEvent => ({ type: 'pasid.removed', device, on });
const reclaim = (pasid: number): PasidEvent => ({ type: 'pasid.reclaim', pasid });

describe('of a notice', () => {
  test.each(['FREE', 'UNBIND'] as const)('%s the CPU hears first, devices last', (what) => {
    after([notice(what), told(what, 0), told(what, 1), told(what, 1), told(what, 2)]);
    expect(after([notice(what), told(what, 1)]).on(told(what, 0))).toMatchObject({
      rule: 'told-out-of-order',
      message: `the CPU hears ${what} of PASID 1 after the IOMMU.`,
    });
    expect(after([notice(what), told(what, 0), told(what, 2)]).on(told(what, 1))?.rule).toBe('told-out-of-order');
  });

  test('BIND devices hear first, the CPU last', () => {
    after([notice('BIND'), told('BIND', 2), told('BIND', 1), told('BIND', 1), told('BIND', 0)]);
    expect(after([notice('BIND'), told('BIND', 0)]).on(told('BIND', 2))?.message).toBe(
      'a device hears BIND of PASID 1 after the CPU.',
    );
  });

  test('each is told by itself: another notice, another number, and the next time', () => {
    after([told('FREE', 2), told('UNBIND', 0), told('FREE', 0, 2), told('ALLOC', 0), told('BIND', 0)]);
    after([told('BIND', 0), told('BIND', 2, 2)]);
    after([told('FREE', 2), notice('FREE'), told('FREE', 0)]);
    expect(after([told('FREE', 2), notice('UNBIND'), notice('FREE', 2)]).on(told('FREE', 0))?.rule).toBe(
      'told-out-of-order',
    );
  });
});

describe('in the end KVM', () => {
  const lost = (events: readonly PasidEvent[], bound?: readonly string[]): string | undefined =>
    after(events, bound).atEnd()?.message;
  const unheard = (owner: number, pasid: number): string =>
    `KVM of VM${owner} listens, and has not heard that it has PASID ${pasid}.`;
  const unbound = (owner: number, pasid: number): string =>
    `KVM of VM${owner} listens, and has not heard that PASID ${pasid} is bound.`;

  test.each([
    [1, 0],
    [2, 1],
  ])('knows PASID %d, if it listens (VM%d)', (pasid, owner) => {
    expect(lost([alloc(pasid, owner), listens(owner)])).toBe(unheard(owner, pasid));
    expect(lost([alloc(pasid, owner)])).toBeUndefined();
    expect(lost([alloc(pasid, owner), listens(1 - owner)])).toBeUndefined();
    expect(lost([listens(owner), alloc(pasid, owner), heard(owner, pasid)])).toBeUndefined();
    expect(lost([listens(owner), alloc(pasid, owner), heard(owner, 3 - pasid), heard(1 - owner, pasid)])).toBe(
      unheard(owner, pasid),
    );
    expect(lost([listens(owner), alloc(pasid, owner), heard(owner, pasid), heard(owner, pasid, false)])).toBe(
      unheard(owner, pasid),
    );
    expect(lost([listens(owner), alloc(pasid, owner), { type: 'pasid.freed', pasid, by: owner }])).toBeUndefined();
    expect(lost([listens(owner), alloc(pasid, owner), reclaim(pasid)])).toBeUndefined();
  });

  test('has forgotten all when it begins to listen again', () => {
    const known = [listens(1), alloc(1, 1), heard(1, 1)];
    expect(lost([...known, listens(1, false)])).toBeUndefined();
    expect(lost([...known, listens(1, false), listens(1)])).toBe(unheard(1, 1));
    expect(lost([...known, listens(1)])).toBeUndefined();
    expect(lost([...known, listens(0, false)])).toBeUndefined();
  });

  test('translates to what is bound, by whatever device', () => {
    const known = [alloc(1, 0), alloc(2, 1), listens(0), listens(1), heard(0, 1), heard(1, 2)];
    expect(lost(known)).toBeUndefined();
    for (const device of [0, 1]) {
      expect(lost(known, [`${device}/1`])).toBe(unbound(0, 1));
      expect(lost(known, [`${device}/2`])).toBe(unbound(1, 2));
      expect(lost([...known, translated(0, 1)], [`${device}/1`])).toBeUndefined();
      expect(lost([...known, translated(1, 2)], [`${device}/2`])).toBeUndefined();
      expect(lost([...known, translated(1, 2), translated(0, 2)], [`${device}/1`])).toBe(unbound(0, 1));
    }
  });
});

test('no work queue submits by a number that goes back to the pool', () => {
  for (const device of [0, 1]) {
    expect(after([queue(device, 2)]).on(reclaim(2))).toMatchObject({
      rule: 'queue-by-freed',
      message: `PASID 2 goes back to the pool, and dev${device} submits by it.`,
    });
    after([queue(device, 2), reclaim(1)]);
    after([queue(device, 2), queue(device, 0), reclaim(2)]);
    after([queue(device, 2), queue(device, 1), queue(1 - device, 1), reclaim(2)]);
  }
});

test('a work queue may submit by a number that is freed, until that goes back', () => {
  after([alloc(1, 0), queue(0, 1), { type: 'pasid.freed', pasid: 1, by: 0 }]);
});

test('who has heard of a number is not whose it is', () => {
  for (const what of ['ALLOC', 'FREE', 'BIND', 'UNBIND'] as const)
    for (const pasid of [1, 2])
      expect(after([listens(0), listens(1), notice(what, pasid), told(what, 0, pasid)]).atEnd()).toBeUndefined();
});

test('a device that has gone has no entry', () => {
  for (const device of [0, 1])
    for (const pasid of [1, 2]) {
      const place = [`${device}/${pasid}`];
      expect(after([], place).check()).toBeUndefined();
      expect(after([removed(device)], place).check()).toMatchObject({
        rule: 'reachable-after-removal',
        message: `dev${device} has gone, and its PASID ${pasid} leads somewhere.`,
      });
      expect(after([removed(1 - device)], place).check()).toBeUndefined();
      expect(after([removed(device), removed(device, false)], place).check()).toBeUndefined();
      expect(after([removed(device)]).check()).toBeUndefined();
    }
});

test('what else happens to numbers is not its business', () => {
  after([{ type: 'pasid.allocator', custom: true }]);
});
