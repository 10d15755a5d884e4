import { describe, expect, it } from 'vitest';
import { EVENT, EVENT_CLASS, EVENT_RECORD } from '../layout/event.ts';
import { encode, type FieldValues } from '../layout/layout.ts';
import { EventQueueChecker, type ExpectedEvent, type QueueVerdict } from './event-queue.ts';

const LOG2 = 1;
const OVERFLOW = -(2 ** 31);
const ABORT = 1 << 2;

/** F_TRANSLATION of stream 1 at some page. */
function fault(page: number, values: FieldValues<typeof EVENT_RECORD> = {}): number[] {
  const input = { InputAddrLow: page * 4096, CLASS: EVENT_CLASS.INPUT, RnW: 1 };
  return encode(EVENT_RECORD, { Event: EVENT.F_TRANSLATION, StreamID: 1, ...input, ...values });
}

function expected(page: number, more: Partial<ExpectedEvent> = {}): ExpectedEvent {
  return { records: [fault(page)], optional: false, mergeable: false, ...more };
}

/** A queue of two entries with what a device has written into it. */
class TestQueue {
  readonly checker: EventQueueChecker;
  readonly entries: number[][] = [[], []];
  prod = 0;
  gerror = 0;

  constructor(aborts = false, enabled = true) {
    this.checker = new EventQueueChecker(LOG2, 0, 0, aborts);
    if (enabled) this.checker.enable(true);
  }

  events(...events: ExpectedEvent[]): this {
    for (const event of events) this.checker.event(event);
    return this;
  }

  write(...records: number[][]): this {
    for (const record of records) {
      this.entries[this.prod & 1] = record;
      this.prod = (this.prod & ~3) | ((this.prod + 1) & 3);
    }
    return this;
  }

  overflow(): this {
    this.prod ^= OVERFLOW;
    return this;
  }

  sync(): this {
    this.checker.synchronise();
    return this;
  }

  see(): string {
    const verdict: QueueVerdict = this.checker.observe({
      prod: this.prod,
      gerror: this.gerror,
      record: (place) => this.entries[place] as number[],
    });
    return verdict.kind === 'permitted' ? 'permitted' : verdict.rule;
  }

  /** Software takes everything, and acknowledges what it has seen. */
  take(): this {
    this.checker.consume(this.prod);
    return this;
  }
}

describe('records (§7.2)', () => {
  it('belong to events, in any order', () => {
    const queue = new TestQueue().events(expected(1), expected(2)).write(fault(2), fault(1));
    expect(queue.sync().see()).toBe('permitted');
    expect(queue.take().write(fault(1)).see()).toBe('record-without-event');
  });

  it('may come late, but not after a CMD_SYNC that waits for them (§4.7.3)', () => {
    const late = new TestQueue().events(expected(1));
    expect(late.see()).toBe('permitted');
    expect(late.write(fault(1)).see()).toBe('permitted');
    const lost = new TestQueue().events(expected(1));
    expect(lost.sync().see()).toBe('event-lost');
    expect(lost.write(fault(1)).see()).toBe('record-without-event');
  });

  it('need not come where the access may have ended otherwise, and are one of several', () => {
    expect(
      new TestQueue()
        .events(expected(1, { optional: true }))
        .sync()
        .see(),
    ).toBe('permitted');
    const either = expected(1, { records: [fault(1), fault(1, { Event: EVENT.F_ACCESS })] });
    expect(
      new TestQueue()
        .events(either)
        .write(fault(1, { Event: EVENT.F_ACCESS }))
        .sync()
        .see(),
    ).toBe('permitted');
    expect(new TestQueue().events(either).write(fault(2)).sync().see()).toBe('record-without-event');
  });

  it('are merged only where that is allowed, and never stalls (§7.3.1)', () => {
    const twice = (mergeable: boolean, values = {}): string =>
      new TestQueue()
        .events(...[1, 2].map(() => expected(1, { mergeable, records: [fault(1, values)] })))
        .write(fault(1, values))
        .sync()
        .see();
    expect([twice(true), twice(false)]).toEqual(['permitted', 'event-lost']);
  });

  it('are merged although there are records of other events', () => {
    const queue = new TestQueue()
      .events(...[1, 1, 2].map((page) => expected(page, { mergeable: true })))
      .write(fault(1), fault(2));
    expect(queue.sync().see()).toBe('permitted');
  });

  it('are no more than the events that fit', () => {
    const queue = new TestQueue().events(expected(1), expected(2)).write(fault(1), fault(1));
    expect(queue.see()).toBe('record-without-event');
  });

  it('are read where they are, several at a time', () => {
    const checker = new EventQueueChecker(2, 1, 1);
    checker.enable(true);
    for (const page of [1, 2]) checker.event(expected(page));
    const record = (place: number): number[] => [[], fault(1), fault(2), []][place] as number[];
    expect(checker.observe({ prod: 3, gerror: 0, record })).toEqual({ kind: 'permitted' });
  });

  it('may stay away if one of them would be of a stall (§7.2.1)', () => {
    const either = expected(1, { records: [fault(1, { Stall: 1 }), fault(1)] });
    expect(new TestQueue().events(either).sync().see()).toBe('permitted');
  });

  it('find their events although another event fits too', () => {
    const both = expected(1, { records: [fault(1), fault(2)], optional: true });
    const queue = new TestQueue().events(both, expected(1)).write(fault(2), fault(1));
    expect(queue.sync().see()).toBe('permitted');
    const other = new TestQueue().events(expected(1), both).write(fault(1), fault(2));
    expect(other.sync().see()).toBe('permitted');
  });
});

describe('a full queue (§7.4)', () => {
  const three = [expected(1), expected(2), expected(3)];

  it('discards events and says so once', () => {
    const queue = new TestQueue()
      .events(...three)
      .write(fault(1), fault(2))
      .overflow();
    expect(queue.sync().see()).toBe('permitted');
    queue.events(expected(4)).sync();
    expect(queue.see()).toBe('permitted');
    queue.take().events(expected(5)).write(fault(5)).sync();
    expect(queue.see()).toBe('permitted');
  });

  it('does not lose events silently', () => {
    expect(
      new TestQueue()
        .events(...three)
        .write(fault(1), fault(2))
        .sync()
        .see(),
    ).toBe('lost-without-overflow');
  });

  it('does not lose events before it is full', () => {
    expect(
      new TestQueue()
        .events(...three)
        .write(fault(1))
        .overflow()
        .sync()
        .see(),
    ).toBe('event-lost');
  });

  it('that has been full is not full later', () => {
    const queue = new TestQueue();
    for (const page of [1, 2]) queue.events(expected(page)).write(fault(page));
    expect(queue.sync().see()).toBe('permitted');
    expect(queue.take().events(expected(3)).sync().see()).toBe('event-lost');
  });

  it('may have told of a loss before software looked, which has been acknowledged', () => {
    const queue = new TestQueue()
      .events(...three)
      .write(fault(1), fault(2))
      .overflow();
    queue.checker.consume(OVERFLOW);
    expect(queue.sync().see()).toBe('permitted');
  });

  it('does not tell of a loss by being emptied', () => {
    const queue = new TestQueue().events(...three).write(fault(1), fault(2));
    expect(queue.see()).toBe('permitted');
    expect(queue.take().sync().see()).toBe('lost-without-overflow');
  });

  it('does not overflow without a loss', () => {
    const full = new TestQueue().events(expected(1), expected(2)).write(fault(1), fault(2)).overflow();
    expect(full.sync().see()).toBe('overflow-without-loss');
    const empty = new TestQueue().overflow();
    expect(empty.see()).toBe('overflow-without-loss');
  });

  it('does not take back an overflow that has not been acknowledged', () => {
    const queue = new TestQueue()
      .events(...three)
      .write(fault(1), fault(2))
      .overflow();
    expect(queue.sync().see()).toBe('permitted');
    queue.events(expected(4)).overflow();
    expect(queue.sync().see()).toBe('overflow-twice');
  });

  it('can overflow again when it has been acknowledged', () => {
    const queue = new TestQueue()
      .events(...three)
      .write(fault(1), fault(2))
      .overflow();
    queue.sync().see();
    queue
      .take()
      .events(...three)
      .write(fault(1), fault(2))
      .overflow();
    expect(queue.sync().see()).toBe('permitted');
  });

  it('keeps the events of stalled transactions, which cause no overflow (§7.2.1)', () => {
    const stall = expected(3, { records: [fault(3, { Stall: 1, STAG: 7 })] });
    const queue = new TestQueue().events(expected(1), expected(2), stall).write(fault(1), fault(2));
    expect(queue.sync().see()).toBe('permitted');
    expect(
      queue
        .take()
        .write(fault(3, { Stall: 1, STAG: 9 }))
        .see(),
    ).toBe('permitted');
    const again = new TestQueue().events(expected(1), expected(2), stall).write(fault(1), fault(2)).overflow();
    expect(again.sync().see()).toBe('overflow-without-loss');
  });
});

describe('a queue that cannot be written (§7.2.1)', () => {
  it('gets no records while it is disabled, and no overflow', () => {
    const queue = new TestQueue(false, false).events(expected(1));
    expect(queue.sync().see()).toBe('permitted');
    expect(queue.write(fault(1)).see()).toBe('written-while-unwritable');
  });

  it('finishes what it had begun when it is disabled', () => {
    const queue = new TestQueue().events(expected(1));
    queue.checker.enable(false);
    expect(queue.write(fault(1)).see()).toBe('permitted');
    queue.events(expected(2));
    expect(queue.sync().see()).toBe('permitted');
    queue.checker.enable(true);
    expect(queue.events(expected(3)).sync().see()).toBe('event-lost');
  });

  it('need not have what it was given before it is disabled, but nothing is excused by switching it on again', () => {
    const queue = new TestQueue().events(expected(1));
    queue.checker.enable(false);
    expect(queue.sync().see()).toBe('permitted');
    const on = new TestQueue().events(expected(1));
    on.checker.enable(true);
    expect(on.sync().see()).toBe('event-lost');
  });

  it('may be broken by an aborted access (§7.2.2)', () => {
    const queue = new TestQueue(true).events(expected(1)).write(fault(7));
    queue.gerror = ABORT;
    expect(queue.see()).toBe('permitted');
  });

  it('gets records of stalls that wait for it when an aborted access has been acknowledged (§7.2.1)', () => {
    const stall = fault(3, { Stall: 1 });
    const queue = new TestQueue(true).events(expected(3, { records: [stall] }));
    queue.gerror = ABORT;
    expect(queue.see()).toBe('permitted');
    queue.checker.acknowledge(ABORT);
    expect(queue.see()).toBe('permitted');
    expect(queue.write(stall).see()).toBe('permitted');
  });

  it('stops at an aborted access until that is acknowledged (§7.2.2)', () => {
    const queue = new TestQueue(true).events(expected(1));
    queue.gerror = ABORT;
    expect(queue.sync().see()).toBe('permitted');
    expect(queue.events(expected(2)).sync().see()).toBe('permitted');
    queue.checker.acknowledge(ABORT);
    expect(queue.see()).toBe('permitted');
    expect(queue.events(expected(3)).sync().see()).toBe('event-lost');
  });

  it('does not report an abort without a reason', () => {
    const queue = new TestQueue();
    queue.gerror = ABORT;
    expect(queue.see()).toBe('abort-without-cause');
    const plain = new EventQueueChecker(LOG2, 0, 0);
    plain.enable(true);
    expect(plain.observe({ prod: 0, gerror: ABORT, record: () => [] })).toMatchObject({ rule: 'abort-without-cause' });
    const disabled = new TestQueue(true, false);
    disabled.gerror = ABORT;
    expect(disabled.see()).toBe('abort-without-cause');
  });
});

describe('indexes (§3.5.1)', () => {
  it('wrap, and never go back or beyond a full queue', () => {
    const queue = new TestQueue();
    for (let round = 0; round < 5; round++) {
      expect(queue.events(expected(round)).write(fault(round)).sync().see()).toBe('permitted');
      queue.take();
    }
    queue.prod = (queue.prod - 1) & 3;
    expect(queue.see()).toBe('index');
    const back = new TestQueue().events(expected(1), expected(2)).write(fault(1), fault(2));
    expect(back.see()).toBe('permitted');
    back.prod = 1;
    expect(back.see()).toBe('index');
    const full = new TestQueue().events(expected(1), expected(2), expected(3)).write(fault(1), fault(2), fault(3));
    expect(full.see()).toBe('index');
  });

  it('are written by software as it should', () => {
    expect(() => new TestQueue().checker.consume(1)).toThrow(RangeError);
    expect(() => new EventQueueChecker(1, 3, 0)).toThrow(RangeError);
    expect(new EventQueueChecker(1, 2, 0)).toBeDefined();
  });

  it('may start with records that are not looked at', () => {
    const checker = new EventQueueChecker(LOG2, 1, 0);
    checker.enable(true);
    expect(checker.observe({ prod: 1, gerror: 0, record: () => [] })).toEqual({ kind: 'permitted' });
  });

  it('may start anywhere', () => {
    const checker = new EventQueueChecker(1, 3, 3);
    checker.enable(true);
    checker.event(expected(1));
    checker.synchronise();
    const record = (place: number): number[] => (place === 1 ? fault(1) : fault(2));
    expect(checker.observe({ prod: 0, gerror: 0, record })).toEqual({ kind: 'permitted' });
  });
});
