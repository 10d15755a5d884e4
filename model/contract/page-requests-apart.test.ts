import { describe, expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PageRequestEvent } from './events.ts';
import { PageRequestMonitor, type PageRequestWorld } from './page-requests.ts';

const GOOD: PageRequestWorld = { devices: 2, pasids: 2, requests: 6 };
const MORTAL: PageRequestWorld = { ...GOOD, processes: 3 };

function monitorAfter(events: readonly PageRequestEvent[], world: PageRequestWorld): PageRequestMonitor {
  const monitor = new PageRequestMonitor(new Store(), world);
  for (const event of events) expect(monitor.on(event)).toBeUndefined();
  return monitor;
}

/** What the monitor says of the last event of a sequence; nothing was wrong before. */
function verdict(events: readonly PageRequestEvent[], world = GOOD): string | undefined {
  return monitorAfter(events.slice(0, -1), world).on(events.at(-1) as PageRequestEvent)?.rule;
}

type Where = { readonly device?: number; readonly pasid?: number };
const HERE = { device: 0, pasid: 1 };

const request = (
  id: number,
  more: Where & { group?: number; last?: boolean; space?: number } = {},
): PageRequestEvent => ({
  type: 'pri.request',
  id,
  ...HERE,
  group: 0,
  last: true,
  space: 0,
  ...more,
});
const handle = (id: number, space = 0): PageRequestEvent => ({ type: 'pri.handle', id, space });
const respond = (
  response: 'Success' | 'Invalid' = 'Success',
  more: Where & { group?: number } = {},
): PageRequestEvent => ({
  type: 'pri.respond',
  ...HERE,
  group: 0,
  response,
  ...more,
});
const bind = (more: Where = {}): PageRequestEvent => ({ type: 'pri.attach.begin', ...HERE, space: 0, ...more });
const detach = (end: 'begin' | 'end', more: Where & { space?: number } = {}): PageRequestEvent => ({
  type: `pri.detach.${end}`,
  ...HERE,
  space: 0,
  ...more,
});
const replace = (end: 'begin' | 'end', more: Where = {}): PageRequestEvent => ({
  type: `pri.replace.${end}`,
  ...HERE,
  from: 0,
  to: 1,
  ...more,
});
const unconfigured = (more: Where = {}): PageRequestEvent => ({ type: 'pri.unconfigured', ...HERE, ...more });

const ELSEWHERE: readonly [string, Where][] = [
  ['another device', { device: 1 }],
  ['another PASID', { pasid: 2 }],
];

describe.each(ELSEWHERE)('what concerns %s', (_what, there) => {
  test('ends nothing here when it is detached', () => {
    expect(verdict([request(1), detach('begin', there), respond('Invalid')])).toBe('refused-while-attached');
    expect(verdict([request(1), detach('end', there), handle(1)])).toBeUndefined();
  });

  test('excuses nothing here while it is replaced, nor after', () => {
    expect(verdict([replace('begin', there), request(1), respond()])).toBe('answered-unhandled');
    expect(verdict([request(1), replace('begin', there), respond()])).toBe('answered-unhandled');
    expect(verdict([replace('begin'), replace('end', there), request(1), respond()])).toBeUndefined();
    expect(verdict([request(1), replace('end', there), handle(1)])).toBeUndefined();
  });

  test('is bound by itself', () => {
    expect(verdict([bind(), unconfigured()], MORTAL)).toBe('error-while-bound');
    expect(verdict([bind(), unconfigured(there)], MORTAL)).toBeUndefined();
    expect(verdict([bind(), bind(there), detach('begin', there), unconfigured()], MORTAL)).toBe('error-while-bound');
    expect(verdict([bind(), detach('begin'), unconfigured()], MORTAL)).toBeUndefined();
  });
});

describe('a response', () => {
  test('is to the group of its index and its device', () => {
    const both = [request(1), request(2, { device: 1 }), request(3, { group: 1 })];
    expect(verdict([...both, handle(2), respond('Success', { device: 1 })])).toBeUndefined();
    expect(verdict([...both, handle(3), respond('Success', { group: 1 })])).toBeUndefined();
    expect(verdict([...both, handle(2), handle(3), respond()])).toBe('answered-unhandled');
    expect(verdict([request(1, { device: 1, pasid: 2 }), respond('Success', { device: 1, pasid: 1 })])).toBe(
      'response-wrong-pasid',
    );
  });

  test('completes with its group what has been looked after for it, and nothing else', () => {
    const first = [request(1, { last: false }), request(2), handle(1), handle(2), respond()];
    expect(verdict([...first, request(3), handle(3), respond()])).toBeUndefined();
    // Of another index, or another PASID, it is no part of the group that is answered.
    for (const other of [{ group: 1 }, { pasid: 2 }, { device: 1 }]) {
      const stray = [request(1, { last: false, ...other }), handle(1)];
      const lost: PageRequestEvent = { type: 'pri.overflowed', id: 2 };
      expect(verdict([...stray, request(2), lost, request(3), handle(3), respond()])).toBeUndefined();
    }
  });

  test('may refuse what is left of an earlier group', () => {
    const lost: PageRequestEvent = { type: 'pri.overflowed', id: 2 };
    const left = [request(1, { last: false }), request(2, {}), lost, request(3, {}), handle(1), handle(3)];
    expect(verdict([...left, detach('begin'), respond('Invalid')])).toBeUndefined();
    expect(verdict([...left, respond()])).toBe('group-merged');
    // Nothing was lost between the two: what is answered belongs to one group.
    expect(verdict([request(1, { last: false }), handle(1), request(2), handle(2), respond()])).toBeUndefined();
    // What nobody has looked after is answered with nothing.
    expect(verdict([request(1, { last: false }), request(2), lost, request(3), handle(3), respond()])).toBeUndefined();
  });
});

describe('a process', () => {
  const exit = (space = 0): PageRequestEvent => ({ type: 'pri.exit', space });
  const freed = (space = 0): PageRequestEvent => ({ type: 'pri.tables-freed', space });

  test('is not looked after when it has exited: its requests may be refused, those of others not', () => {
    expect(verdict([bind(), request(1), exit(), handle(1)], MORTAL)).toBe('handled-after-exit');
    expect(verdict([bind(), request(1), exit(1), handle(1)], MORTAL)).toBeUndefined();
    expect(verdict([bind(), request(1), exit(), respond('Invalid')], MORTAL)).toBeUndefined();
    expect(verdict([bind(), request(1), exit(1), respond('Invalid')], MORTAL)).toBe('refused-while-attached');
    expect(verdict([bind(), exit(), request(1), respond('Invalid')], MORTAL)).toBeUndefined();
    expect(verdict([bind(), exit(), request(1), respond()], MORTAL)).toBe('answered-unhandled');
    expect(verdict([bind(), exit(1), request(1), respond('Invalid')], MORTAL)).toBe('refused-while-attached');
  });

  test('is not walked from the time that its tables are freed', () => {
    expect(verdict([bind(), exit(), request(1)], MORTAL)).toBeUndefined();
    expect(verdict([bind(), exit(), freed(), request(1)], MORTAL)).toBe('walked-after-exit');
    expect(verdict([bind(), exit(1), freed(1), request(1)], MORTAL)).toBeUndefined();
    expect(verdict([bind(), exit(), freed(), request(1, { space: -1 })], MORTAL)).toBeUndefined();
    expect(verdict([bind(), exit(2), freed(2), request(1, { space: 2 })], MORTAL)).toBe('walked-after-exit');
    const message = monitorAfter([freed(1)], MORTAL).on(request(1, { space: 1 }));
    expect(message).toEqual({
      monitor: 'page-requests',
      rule: 'walked-after-exit',
      message: 'A device walks the page tables of mm1, which are freed.',
      data: { space: 1 },
    });
  });

  test('is asked without being bound: what is cached of the entry may be refused', () => {
    expect(verdict([bind(), request(1), respond('Invalid')], MORTAL)).toBe('refused-while-attached');
    expect(verdict([request(1), respond('Invalid')], MORTAL)).toBeUndefined();
    expect(verdict([bind({ pasid: 2 }), request(1), respond('Invalid')], MORTAL)).toBeUndefined();
  });

  test('that is there for good is neither bound nor left', () => {
    expect(verdict([bind(), unconfigured()])).toBeUndefined();
    expect(verdict([request(1), respond('Invalid')])).toBe('refused-while-attached');
  });
});

describe('what is asked', () => {
  test('waits until it is answered', () => {
    const monitor = monitorAfter([request(1), request(2, { last: false, group: 1, space: 1 })], GOOD);
    expect([0, 1, -1].map((space) => monitor.isWaiting(space))).toEqual([true, false, false]);
    monitor.on(handle(1));
    expect(monitor.isWaiting(0)).toBe(true);
    monitor.on(respond());
    expect(monitor.isWaiting(0)).toBe(false);
  });

  test('is too late for when its PASID has been detached, and only then', () => {
    const monitor = monitorAfter([request(1), request(2, { pasid: 2 }), request(3, { group: 1, space: 1 })], GOOD);
    monitor.on(detach('begin'));
    expect([1, 2, 3].map((id) => monitor.isLate(id))).toEqual([false, false, false]);
    monitor.on(detach('end'));
    expect([1, 2, 3].map((id) => monitor.isLate(id))).toEqual([true, false, false]);
  });

  test('has a number of the world', () => {
    expect(() => verdict([request(0)])).toThrow(RangeError);
    expect(verdict([request(6)])).toBeUndefined();
    expect(() => verdict([request(7)])).toThrow('at most 6');
    const full = [1, 2, 3, 4, 5, 6].map((id) => request(id, { group: id }));
    expect(monitorAfter(full, GOOD).atEnd()?.data).toEqual({ request: 1 });
    expect(verdict([...full, handle(6), respond('Success', { group: 6 })])).toBeUndefined();
  });

  test('is lost for lack of memory, or refused if it is the last', () => {
    const none = (id: number): PageRequestEvent => ({ type: 'pri.no-memory', id });
    const monitor = monitorAfter([request(1), none(1)], GOOD);
    expect(monitor.atEnd()?.rule).toBe('unanswered');
    // A request that is lost is no part of the group that is answered.
    expect(verdict([request(1, { last: false }), none(1), request(2), handle(2), respond()])).toBeUndefined();
    expect(verdict([request(1), none(1), respond()])).toBe('answered-unhandled');
  });
});

describe('what the monitor keeps', () => {
  const places = [0, 1].flatMap((device) => [1, 2].map((pasid) => ({ device, pasid })));
  const closed: PageRequestEvent = { type: 'pri.closed' };

  test.each(places)('of dev$device and PASID $pasid is apart', (place) => {
    const elsewhere = place.device !== 0 || place.pasid !== 1;
    expect(verdict([bind(), replace('begin', place), request(1), handle(1)], MORTAL)).toBeUndefined();
    const mortal = { ...MORTAL, closable: true };
    expect(verdict([bind(), bind(place), request(1), respond('Invalid')], mortal)).toBe('refused-while-attached');
    expect(verdict([request(1), request(2), bind(place), unconfigured(place)])).toBeUndefined();
    if (elsewhere) expect(verdict([bind(place), unconfigured(place)], mortal)).toBe('error-while-bound');
  });

  test('of each process is apart', () => {
    for (const space of [0, 1, 2]) {
      const exit: PageRequestEvent = { type: 'pri.exit', space };
      expect(verdict([bind(), request(1, { space }), exit, handle(1, space)], MORTAL)).toBe('handled-after-exit');
    }
  });

  test('of those who look after requests is known where they may go', () => {
    const closable = { ...GOOD, closable: true };
    expect(verdict([closed, request(1), handle(1)], closable)).toBeUndefined();
    expect(verdict([closed, request(1), respond('Invalid')], closable)).toBeUndefined();
    expect(verdict([closed, request(1), respond('Invalid')])).toBe('refused-while-attached');
    expect(verdict([request(1), closed, respond('Invalid')], closable)).toBeUndefined();
    const mortal = { ...MORTAL, closable: true };
    expect(verdict([bind(), closed, request(1), respond('Invalid')], mortal)).toBeUndefined();
  });

  test('of a space that is pinned is that nobody looks after it', () => {
    for (const pinned of [0, 1]) {
      const world = { ...GOOD, pinned };
      expect(verdict([request(1, { space: pinned }), respond('Invalid')], world)).toBeUndefined();
      expect(verdict([request(1, { space: pinned }), handle(1, pinned)], world)).toBe('handled-not-faultable');
      expect(verdict([request(1, { space: 1 - pinned }), respond('Invalid')], world)).toBe('refused-while-attached');
    }
  });

  test('is said of a request with all its numbers', () => {
    const sent = request(1, { device: 1, pasid: 2, group: 3 });
    expect(monitorAfter([sent], GOOD).on(handle(1, 1))?.message).toBe(
      'The last request of PRG 3 of dev1 with PASID 2 was made through mm0 and is looked after in mm1.',
    );
    expect(monitorAfter([request(2, { last: false })], GOOD).on(handle(2, 1))?.message).toBe(
      'The request of PRG 0 of dev0 with PASID 1 was made through mm0 and is looked after in mm1.',
    );
  });
});

describe('while a PASID goes from one space to another', () => {
  test('what was made through the old one may be refused, or told to try again', () => {
    expect(verdict([request(1), replace('begin'), respond('Invalid')])).toBeUndefined();
    expect(verdict([request(1), replace('begin'), respond()])).toBeUndefined();
  });
});

describe('an index that is used again before its response', () => {
  test('is answered for either: what was looked after late belongs to both', () => {
    const twice = [request(1, { last: false }), request(2), request(3), respond()];
    expect(verdict([...twice, handle(1), handle(3), respond()])).toBeUndefined();
    expect(verdict([...twice, respond('Invalid')])).toBeUndefined();
    const monitor = monitorAfter([request(1), request(2), respond(), handle(1), handle(2), respond()], GOOD);
    expect(monitor.atEnd()).toBeUndefined();
  });

  test('after it is another group', () => {
    const first = [request(1), handle(1), respond()];
    expect(
      verdict([...first, request(2, { last: false }), request(3), handle(2), handle(3), respond()]),
    ).toBeUndefined();
    expect(verdict([...first, request(2), respond('Invalid')])).toBe('refused-while-attached');
  });
});
