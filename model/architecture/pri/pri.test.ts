import { expect, test } from 'vitest';
import fc from 'fast-check';
import { Store } from '../../../engine/store.ts';
import { PriFunctions, RESPONSE } from './functions.ts';
import { PageRequestQueue } from './page-request-queue.ts';
import { StalledTransactions } from './stalled.ts';
import { codeOf, requestOf, type PageRequest } from './page-request.ts';

const MESSAGE: PageRequest = { device: 1, pasid: 2, group: 1, last: true, stop: false, page: 3, id: 4 };

const messages: fc.Arbitrary<PageRequest> = fc.record({
  device: fc.nat(3),
  pasid: fc.integer({ min: 1, max: 7 }),
  group: fc.nat(7),
  last: fc.boolean(),
  stop: fc.boolean(),
  page: fc.nat(7),
  id: fc.nat(31),
});

test('a message is its number', () => {
  fc.assert(
    fc.property(messages, (message) => {
      expect(requestOf(codeOf(message))).toEqual(message);
      expect(codeOf(message)).toBeGreaterThan(0);
      expect(codeOf(message)).toBeLessThan(2 ** 31);
    }),
  );
});

test('what arrives is taken in order, and raises the interrupt', () => {
  const queue = new PageRequestQueue(new Store(), 4);
  expect(queue.pending).toBe(false);
  expect(queue.receive(MESSAGE)).toBe('queued');
  expect(queue.receive({ ...MESSAGE, id: 5 })).toBe('queued');
  expect([queue.head, queue.tail, queue.pending, queue.overflow]).toEqual([0, 2, true, false]);
  expect(queue.places.map((place) => requestOf(queue.codeAt(place)).id)).toEqual([4, 5]);
  queue.head = 2;
  queue.clearPending();
  expect([queue.places, queue.pending]).toEqual([[], false]);
});

test('an overflow keeps everything out until it is cleared', () => {
  const queue = new PageRequestQueue(new Store(), 2);
  expect(queue.receive(MESSAGE)).toBe('queued');
  queue.clearPending();
  expect(queue.receive(MESSAGE)).toBe('answered');
  expect(queue.receive({ ...MESSAGE, last: false })).toBe('dropped');
  expect(queue.receive({ ...MESSAGE, stop: true })).toBe('dropped');
  expect([queue.overflow, queue.pending]).toEqual([true, true]);
  queue.head = 1;
  expect(queue.receive(MESSAGE)).toBe('answered');
  queue.clearOverflow();
  expect(queue.receive(MESSAGE)).toBe('queued');
});

test('a group index is taken until its response', () => {
  const functions = new PriFunctions(new Store(), 2, 2);
  expect(functions.isFree(1, 0)).toBe(true);
  functions.open(1, 0);
  functions.respond(1, 0, RESPONSE.SUCCESS);
  expect([functions.isFree(1, 0), functions.response(1, 0), functions.isFree(0, 0)]).toEqual([false, 0, true]);
  functions.outstanding(1, 0, true);
  functions.respond(1, 0, RESPONSE.INVALID);
  expect([functions.isFree(1, 0), functions.response(1, 0)]).toEqual([false, RESPONSE.INVALID]);
  functions.release(1, 0);
  functions.outstanding(1, 0, false);
  functions.respond(1, 0, RESPONSE.SUCCESS);
  expect([functions.isFree(1, 0), functions.response(1, 0)]).toEqual([true, 0]);
});

test('messages stay in order on the wire', () => {
  const functions = new PriFunctions(new Store(), 2, 2);
  for (const code of [11, 12, 13, 14]) expect(functions.send(0, code)).toBe(true);
  expect([functions.send(0, 15), functions.canSend(0, 1), functions.canSend(1, 4), functions.inFlight(1)]).toEqual([
    false,
    false,
    true,
    0,
  ]);
  expect([functions.deliver(0), functions.deliver(0), functions.inFlight(0)]).toEqual([11, 12, 2]);
});

test('Response Failure ends page requests of a function', () => {
  const functions = new PriFunctions(new Store(), 2, 2);
  functions.outstanding(0, 1, true);
  functions.respond(0, 1, RESPONSE.FAILURE);
  expect([functions.response(0, 1), functions.canSend(0, 1), functions.canSend(1, 1)]).toEqual([
    RESPONSE.FAILURE,
    false,
    true,
  ]);
});

test('a tag is taken until it is acknowledged, and CMD_STALL_TERM acknowledges all of a stream', () => {
  const stalled = new StalledTransactions(new Store(), 2, 2);
  expect([stalled.stall(0, 0, 7), stalled.freeTag(0), stalled.stall(0, 1, 8), stalled.freeTag(0)]).toEqual([
    false,
    1,
    false,
    -1,
  ]);
  stalled.resume(0, 0);
  stalled.resume(1, 0);
  expect([stalled.isStalled(0, 7), stalled.isStalled(0, 8), stalled.isStalled(1, 8)]).toEqual([false, true, false]);
  expect([stalled.freeTag(0), stalled.stall(0, 0, 9)]).toEqual([0, true]);
  expect([stalled.terminate(0), stalled.terminate(1), stalled.freeTag(0)]).toEqual([[9, 8], [], 0]);
});
