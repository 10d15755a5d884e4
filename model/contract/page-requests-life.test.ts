import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PageRequestEvent } from './events.ts';
import { PageRequestMonitor, type PageRequestWorld } from './page-requests.ts';

const LIFE: PageRequestWorld = { devices: 2, pasids: 2, requests: 4, processes: 2 };
const USER: PageRequestWorld = { devices: 2, pasids: 2, requests: 4, closable: true };
const PINNED: PageRequestWorld = { devices: 2, pasids: 2, requests: 4, pinned: 1 };

/** What the monitor says of the last event of a sequence; nothing was wrong before. */
function verdict(world: PageRequestWorld, events: readonly PageRequestEvent[]): string | undefined {
  const monitor = new PageRequestMonitor(new Store(), world);
  for (const event of events.slice(0, -1)) expect(monitor.on(event)).toBeUndefined();
  return monitor.on(events.at(-1) as PageRequestEvent)?.rule;
}

const place = { device: 0, pasid: 1 };
const request = (id: number, more: object = {}): PageRequestEvent => ({
  type: 'pri.request',
  ...place,
  id,
  group: 0,
  last: true,
  space: 0,
  ...more,
});
const respond = (response: 'Success' | 'Invalid', more: object = {}): PageRequestEvent => ({
  type: 'pri.respond',
  ...place,
  group: 0,
  response,
  ...more,
});
const handle = (id: number, space = 0): PageRequestEvent => ({ type: 'pri.handle', id, space });
const ATTACH: PageRequestEvent = { type: 'pri.attach.begin', ...place, space: 0 };
const DETACH: PageRequestEvent = { type: 'pri.detach.begin', ...place, space: 0 };
const EXIT: PageRequestEvent = { type: 'pri.exit', space: 0 };
const FREED: PageRequestEvent = { type: 'pri.tables-freed', space: 0 };
const ERROR: PageRequestEvent = { type: 'pri.unconfigured', ...place };
const CLOSED: PageRequestEvent = { type: 'pri.closed' };

test('a process that exits is refused what was asked for, before and after, and another one is not', () => {
  expect(verdict(LIFE, [ATTACH, request(1), respond('Invalid')])).toBe('refused-while-attached');
  expect(verdict(LIFE, [ATTACH, request(1), EXIT, respond('Invalid')])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, EXIT, request(1), respond('Invalid')])).toBeUndefined();
  const other: PageRequestEvent = { type: 'pri.exit', space: 1 };
  expect(verdict(LIFE, [ATTACH, request(1), other, respond('Invalid')])).toBe('refused-while-attached');
});

test('nothing is looked after in a process that has exited', () => {
  expect(verdict(LIFE, [ATTACH, request(1), handle(1)])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, request(1), EXIT, handle(1)])).toBe('handled-after-exit');
});

test('page tables may be walked until they are freed', () => {
  expect(verdict(LIFE, [ATTACH, EXIT, request(1)])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, EXIT, FREED, request(1)])).toBe('walked-after-exit');
  expect(verdict(LIFE, [ATTACH, EXIT, FREED, request(1, { space: 1 })])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, EXIT, FREED, request(1, { space: -1 })])).toBeUndefined();
});

test('a function that is bound is not told of an error', () => {
  expect(verdict(LIFE, [ERROR])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, ERROR])).toBe('error-while-bound');
  expect(verdict(LIFE, [ATTACH, { ...ERROR, pasid: 2 }])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, { ...ERROR, device: 1 }])).toBeUndefined();
  expect(verdict(LIFE, [ATTACH, DETACH, ERROR])).toBeUndefined();
});

test('what is asked for by a cached entry while detach is under way may be refused', () => {
  expect(verdict(LIFE, [ATTACH, DETACH, request(1), respond('Invalid')])).toBeUndefined();
});

test('when nobody looks after requests any more they are refused', () => {
  expect(verdict(USER, [request(1), respond('Invalid')])).toBe('refused-while-attached');
  expect(verdict(USER, [request(1), CLOSED, respond('Invalid')])).toBeUndefined();
  expect(verdict(USER, [CLOSED, request(1), respond('Invalid')])).toBeUndefined();
});

test('nobody looks after requests of a domain that is pinned', () => {
  expect(verdict(PINNED, [request(1, { space: 1 }), handle(1, 1)])).toBe('handled-not-faultable');
  expect(verdict(PINNED, [request(1, { space: 1 }), respond('Invalid')])).toBeUndefined();
  expect(verdict(PINNED, [request(1), respond('Invalid')])).toBe('refused-while-attached');
  expect(verdict(PINNED, [request(1), handle(1), respond('Success')])).toBeUndefined();
});

test('of two groups with one index each has a response, whichever', () => {
  const both = [request(1), request(2)];
  expect(verdict(LIFE, [...both, handle(2), respond('Success'), handle(1), respond('Invalid')])).toBeUndefined();
  expect(verdict(LIFE, [...both, respond('Invalid'), respond('Success'), respond('Success')])).toBe(
    'response-not-asked',
  );
  expect(verdict(LIFE, [request(1), request(2, { pasid: 2 }), respond('Invalid', { pasid: 2 })])).toBeUndefined();
});

test('who waits for a space', () => {
  const monitor = new PageRequestMonitor(new Store(), LIFE);
  expect(monitor.isWaiting(0)).toBe(false);
  monitor.on(request(1));
  expect([monitor.isWaiting(0), monitor.isWaiting(1)]).toEqual([true, false]);
  monitor.on(handle(1));
  monitor.on(respond('Success'));
  monitor.on(request(2, { last: false }));
  expect(monitor.isWaiting(0)).toBe(false);
});
