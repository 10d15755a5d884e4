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

test('what software has taken is no part of the state any more', () => {
  const queue = new PageRequestQueue(new Store(), 4);
  for (const id of [4, 5, 6]) queue.receive({ ...MESSAGE, id });
  queue.head = 2;
  const after = [0, 1, 2].map((place) => queue.codeAt(place));
  expect(after).toEqual([0, 0, codeOf({ ...MESSAGE, id: 6 })]);
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

test('the wire of one function is not that of another, whatever is on it', () => {
  const functions = new PriFunctions(new Store(), 3, 2);
  const sent = [0, 1, 2].map((device) => [1, 2, 3, 4].map((number) => 10 * device + number));
  for (const [device, codes] of sent.entries()) for (const code of codes) functions.send(device, code);
  expect([0, 1, 2].map((device) => functions.inFlight(device))).toEqual([4, 4, 4]);
  for (const device of [0, 1, 2])
    for (const group of [0, 1])
      expect([functions.isFree(device, group), functions.canSend(device, 0)]).toEqual([true, true]);
  expect([functions.deliver(0), functions.inFlight(0), functions.inFlight(1)]).toEqual([1, 3, 4]);
  for (const device of [1, 2]) {
    const arrived = [1, 2, 3, 4].map(() => functions.deliver(device));
    expect([arrived, functions.inFlight(device)]).toEqual([sent[device], 0]);
  }
  expect([functions.deliver(0), functions.deliver(0), functions.deliver(0)]).toEqual([2, 3, 4]);
});

test('a group of one function is not that of another', () => {
  const functions = new PriFunctions(new Store(), 3, 2);
  const all = [0, 1, 2].flatMap((device) => [0, 1].map((group) => ({ device, group })));
  for (const { device, group } of all) functions.outstanding(device, group, true);
  for (const { device, group } of all)
    functions.respond(device, group, (device + group) % 2 === 0 ? RESPONSE.SUCCESS : RESPONSE.INVALID);
  expect(all.map(({ device, group }) => functions.response(device, group))).toEqual([1, 2, 2, 1, 1, 2]);
  // Neither response switches anything off: only Response Failure does.
  expect([0, 1, 2].map((device) => functions.canSend(device, 4))).toEqual([true, true, true]);
  functions.release(1, 1);
  expect(all.map(({ device, group }) => functions.isFree(device, group))).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
  ]);
});

test.each([0, 1, 2])('Response Failure to function %d leaves the others and their groups alone', (failed) => {
  const functions = new PriFunctions(new Store(), 3, 2);
  functions.outstanding(failed, 0, true);
  functions.respond(failed, 0, RESPONSE.FAILURE);
  expect([0, 1, 2].map((device) => functions.canSend(device, 1))).toEqual([0, 1, 2].map((device) => device !== failed));
  for (const device of [0, 1, 2])
    for (const group of [0, 1])
      expect(functions.response(device, group)).toBe(device === failed && group === 0 ? RESPONSE.FAILURE : 0);
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

test('tags of one stream are not those of another (§3.12.2)', () => {
  const stalled = new StalledTransactions(new Store(), 3, 2);
  const all = [0, 1, 2].flatMap((device) => [0, 1].map((tag) => ({ device, tag, id: 10 * device + tag + 1 })));
  for (const { device, tag, id } of all) expect(stalled.stall(device, tag, id)).toBe(false);
  for (const { id, device } of all)
    expect([0, 1, 2].map((other) => stalled.isStalled(other, id))).toEqual([0, 1, 2].map((other) => other === device));
  for (const { device, tag } of all) stalled.resume(device, tag);
  for (const { device, tag, id } of all) expect(stalled.stall(device, tag, id)).toBe(true);
  expect([0, 1, 2].map((device) => stalled.terminate(device))).toEqual([
    [1, 2],
    [11, 12],
    [21, 22],
  ]);
});

test('whether a tag has been used is known of each by itself', () => {
  const stalled = new StalledTransactions(new Store(), 3, 3);
  const used = [0, 1, 2].map((device) => stalled.stall(device, device, 1));
  const again = [0, 1, 2].map((device) => [0, 1, 2].map((tag) => stalled.stall(device, tag, 2)));
  expect(used).toEqual([false, false, false]);
  expect(again).toEqual([0, 1, 2].map((device) => [0, 1, 2].map((tag) => tag === device)));
});

test('each has its own part of the store', () => {
  const store = new Store();
  const functions = new PriFunctions(store, 3, 2);
  const other = new PriFunctions(store, 3, 2);
  const stalled = new StalledTransactions(store, 3, 2);
  const last = store.reserve(1, 'what comes behind');
  for (const device of [0, 1, 2]) {
    for (const code of [1, 2, 3, 4]) functions.send(device, code);
    for (const tag of [0, 1]) stalled.stall(device, tag, 1);
  }
  const free = [0, 1, 2].flatMap((device) => [0, 1].map((group) => other.isFree(device, group)));
  expect([free, store.get(last)]).toEqual([Array(6).fill(true), 0]);
});
