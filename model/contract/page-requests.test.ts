import { expect, test } from 'vitest';
import { Store } from '../../engine/store.ts';
import type { PageRequestEvent } from './events.ts';
import { PageRequestMonitor } from './page-requests.ts';

const world = { devices: 2, pasids: 2, requests: 4 };

/** What the monitor says of the last event of a sequence; nothing was wrong before. */
function verdict(events: readonly PageRequestEvent[]): string | undefined {
  const monitor = new PageRequestMonitor(new Store(), world);
  for (const event of events.slice(0, -1)) expect(monitor.on(event)).toBeUndefined();
  return monitor.on(events.at(-1) as PageRequestEvent)?.rule;
}

const request = (id: number, more: object = {}): PageRequestEvent => ({
  type: 'pri.request',
  id,
  device: 0,
  pasid: 1,
  group: 0,
  last: true,
  space: 0,
  ...more,
});
const handle = (id: number, space = 0): PageRequestEvent => ({ type: 'pri.handle', id, space });
const respond = (more: object = {}): PageRequestEvent => ({
  type: 'pri.respond',
  device: 0,
  pasid: 1,
  group: 0,
  response: 'Success',
  ...more,
});
const detach = (type: 'pri.detach.begin' | 'pri.detach.end'): PageRequestEvent => ({
  type,
  device: 0,
  pasid: 1,
  space: 0,
});

const replace = (type: 'pri.replace.begin' | 'pri.replace.end'): PageRequestEvent => ({
  type,
  device: 0,
  pasid: 1,
  from: 0,
  to: 1,
});

test.each<[string, readonly PageRequestEvent[], string | undefined]>([
  ['a request that is looked after and answered', [request(1), handle(1), respond()], undefined],
  ['a response that nobody asked for', [respond()], 'response-not-asked'],
  ['a second response', [request(1), handle(1), respond(), respond()], 'response-not-asked'],
  ['a response to a request that is not the last', [request(1, { last: false }), respond()], 'response-not-asked'],
  ['a response to another device', [request(1), handle(1), respond({ device: 1 })], 'response-not-asked'],
  ['a response with another PASID', [request(1), handle(1), respond({ pasid: 2 })], 'response-wrong-pasid'],
  ['success without anybody having looked', [request(1), respond()], 'answered-unhandled'],
  ['another space', [request(1), handle(1, 1)], 'wrong-space'],
  ['a device of its own accord', [request(1, { space: -1 }), handle(1, 1)], undefined],
  ['a refusal', [request(1), respond({ response: 'Invalid' })], 'refused-while-attached'],
  ['a refusal of what leads nowhere', [request(1, { space: -1 }), respond({ response: 'Invalid' })], undefined],
  ['a refusal during detach', [request(1), detach('pri.detach.begin'), respond({ response: 'Invalid' })], undefined],
  [
    'a refusal for lack of memory',
    [request(1), { type: 'pri.no-memory', id: 1 }, respond({ response: 'Invalid' })],
    undefined,
  ],
  [
    'a group that lost a request for lack of memory',
    [request(1, { last: false }), { type: 'pri.no-memory', id: 1 }, request(2), handle(2), respond()],
    undefined,
  ],
  ['a refusal for good', [request(1, { space: -1 }), respond({ response: 'Failure' })], 'disabled-for-good'],
  [
    'a device told to try again while its PASID is replaced',
    [request(1), replace('pri.replace.begin'), respond()],
    undefined,
  ],
  [
    'a request of the new space while its PASID is replaced',
    [replace('pri.replace.begin'), request(1, { space: 1 }), respond()],
    undefined,
  ],
  [
    'a request of no space while its PASID is replaced',
    [request(1, { space: -1 }), replace('pri.replace.begin'), respond()],
    undefined,
  ],
  ['a handler after replacement', [request(1), replace('pri.replace.end'), handle(1)], 'handled-after-detach'],
  [
    'a request after replacement',
    [replace('pri.replace.begin'), replace('pri.replace.end'), request(1, { space: 1 }), respond()],
    'answered-unhandled',
  ],
  ['a handler after detach', [request(1), detach('pri.detach.end'), handle(1)], 'handled-after-detach'],
  ['a response after detach', [request(1), handle(1), detach('pri.detach.end'), respond()], 'answered-after-detach'],
  ['a request after detach', [detach('pri.detach.end'), request(1), handle(1)], undefined],
  [
    'what is left of a group that hardware has answered',
    [
      request(1, { last: false }),
      request(2),
      { type: 'pri.overflowed', id: 2 },
      request(3),
      handle(1),
      handle(3),
      respond(),
    ],
    'group-merged',
  ],
  [
    'two groups one after the other',
    [request(1, { last: false }), request(2), handle(1), handle(2), respond(), request(3), handle(3), respond()],
    undefined,
  ],
])('%s', (_what, events, rule) => {
  expect(verdict(events)).toBe(rule);
});

test('in the end each last request has been answered', () => {
  const monitor = new PageRequestMonitor(new Store(), world);
  expect(monitor.on(request(1, { last: false }))).toBeUndefined();
  expect(monitor.atEnd()).toBeUndefined();
  expect(monitor.on(request(2))).toBeUndefined();
  expect(monitor.atEnd()?.rule).toBe('unanswered');
  expect(monitor.on({ type: 'pri.overflowed', id: 2 })).toBeUndefined();
  expect(monitor.atEnd()).toBeUndefined();
});

test('a run that sends more than it may is no finding', () => {
  expect(() => verdict([request(5)])).toThrow(RangeError);
});
