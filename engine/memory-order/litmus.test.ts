/**
 * The classic litmus tests of memory models, each exhaustively: which final values two or three CPUs can see. Names as in
 * Alglave, Maranget and Tautschnig, "Herding Cats", TOPLAS 2014.
 */
import { describe, expect, it, test } from 'vitest';
import type { Cell } from '../cell.ts';
import type { Step, Task } from '../step.ts';
import { dma_wmb, smp_mb, smp_rmb, smp_wmb } from './barriers.ts';
import { Litmus, seen } from './litmus-testing.ts';

type Between = (litmus: Litmus) => Step<undefined> | undefined;
const none: Between = () => undefined;
const mb: Between = (litmus) => litmus.barrier(smp_mb);
const wmb: Between = (litmus) => litmus.barrier(smp_wmb);
const dma: Between = (litmus) => litmus.barrier(dma_wmb);
const rmb: Between = (litmus) => litmus.barrier(smp_rmb);

/** A thread of two accesses with something in between. */
function thread(
  litmus: Litmus,
  first: () => Task | Step<undefined>,
  between: Between,
  second: () => Task | Step<undefined>,
) {
  return function* (): Task {
    yield* first();
    const barrier = between(litmus);
    if (barrier !== undefined) yield* barrier;
    yield* second();
  };
}

/** A thread of one access. */
function only(access: () => Step<undefined>) {
  return function* (): Task {
    yield* access();
  };
}

/** SB: each CPU stores to one variable and loads the other; `00..` when both loads miss. */
function storeBuffering(entries: number, left: Between, right: Between): string[] {
  const lab = new Litmus(entries);
  return lab.outcomes([
    thread(
      lab,
      () => lab.x.store(1),
      left,
      () => lab.load(0, lab.y),
    ),
    thread(
      lab,
      () => lab.y.store(1),
      right,
      () => lab.load(1, lab.x),
    ),
  ]);
}

describe.each([1, 2, 3])('with buffers of %d', (entries) => {
  test.each([
    ['SB', none, none, true],
    ['SB+mb+po', mb, none, true],
    ['SB+po+mb', none, mb, true],
    ['SB+wmbs', wmb, wmb, true],
    ['SB+rmbs', rmb, rmb, true],
    ['SB+mbs', mb, mb, false],
  ])('%s', (_name, left, right, allowed) => {
    expect(seen(storeBuffering(entries, left, right), '00..|11')).toBe(allowed);
  });

  test.each([
    ['MP', none, entries > 1],
    ['MP+wmb+po', wmb, false],
    ['MP+dma.wmb+po', dma, false],
    ['MP+mb+po', mb, false],
    ['MP+rmb+po', rmb, entries > 1],
  ])('%s', (_name, between, allowed) => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      thread(
        lab,
        () => lab.x.store(1),
        between,
        () => lab.y.store(1),
      ),
      thread(
        lab,
        () => lab.load(0, lab.y),
        none,
        () => lab.load(1, lab.x),
      ),
    ]);
    expect(seen(outcomes, '10..|11')).toBe(allowed);
  });

  it('MP with a store-release, or an unlock, in place of the barrier is forbidden', () => {
    const lab = new Litmus(entries);
    const reader = thread(
      lab,
      () => lab.load(0, lab.y),
      none,
      () => lab.load(1, lab.x),
    );
    expect(
      seen(
        lab.outcomes([
          thread(
            lab,
            () => lab.x.store(1),
            none,
            () => lab.release(lab.y, 1),
          ),
          reader,
        ]),
        '10..|11',
      ),
    ).toBe(false);
    const locked = new Litmus(entries);
    const outcomes = locked.outcomes([
      function* (): Task {
        yield* locked.lock.lock();
        yield* locked.x.store(1);
        yield* locked.y.store(1);
        yield* locked.lock.unlock();
      },
      function* (): Task {
        yield* locked.lock.lock();
        yield* locked.load(0, locked.y);
        yield* locked.load(1, locked.x);
        yield* locked.lock.unlock();
      },
    ]);
    expect(outcomes).toEqual(['0000|11', '1100|11']);
  });

  test.each([
    ['2+2W', none, entries > 1],
    ['2+2W+wmbs', wmb, false],
    ['2+2W+mbs', mb, false],
  ])('%s', (_name, between, allowed) => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      thread(
        lab,
        () => lab.x.store(1),
        between,
        () => lab.y.store(2),
      ),
      thread(
        lab,
        () => lab.y.store(1),
        between,
        () => lab.x.store(2),
      ),
    ]);
    expect(seen(outcomes, '....|11')).toBe(allowed);
  });

  test.each([
    ['S', none, entries > 1],
    ['S+wmb+po', wmb, false],
  ])('%s', (_name, between, allowed) => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      thread(
        lab,
        () => lab.x.store(2),
        between,
        () => lab.y.store(1),
      ),
      thread(
        lab,
        () => lab.load(0, lab.y),
        none,
        () => lab.x.store(1),
      ),
    ]);
    expect(seen(outcomes, '1...|21')).toBe(allowed);
  });

  test.each([
    ['R', none, none, true],
    ['R+wmb+po', wmb, none, true],
    ['R+wmb+mb', wmb, mb, false],
    ['R+po+mb', none, mb, entries > 1],
    ['R+mbs', mb, mb, false],
  ])('%s', (_name, left, right, allowed) => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      thread(
        lab,
        () => lab.x.store(1),
        left,
        () => lab.y.store(1),
      ),
      thread(
        lab,
        () => lab.y.store(2),
        right,
        () => lab.load(0, lab.x),
      ),
    ]);
    expect(seen(outcomes, '0...|12')).toBe(allowed);
  });

  it('LB is not seen, although Armv8 permits it: loads are not delayed here', () => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      thread(
        lab,
        () => lab.load(0, lab.x),
        none,
        () => lab.y.store(1),
      ),
      thread(
        lab,
        () => lab.load(1, lab.y),
        none,
        () => lab.x.store(1),
      ),
    ]);
    expect(seen(outcomes, '11..|11')).toBe(false);
  });

  it('IRIW is forbidden: a store that reaches memory is seen by all others at once', () => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      only(() => lab.x.store(1)),
      only(() => lab.y.store(1)),
      thread(
        lab,
        () => lab.load(0, lab.x),
        none,
        () => lab.load(1, lab.y),
      ),
      thread(
        lab,
        () => lab.load(2, lab.y),
        none,
        () => lab.load(3, lab.x),
      ),
    ]);
    expect(seen(outcomes, '1010|11')).toBe(false);
  });

  it('coherence: CoRR, CoWW, CoRW, CoWR and CoRW2 hold', () => {
    const reads = new Litmus(entries);
    const corr = reads.outcomes([
      thread(
        reads,
        () => reads.x.store(1),
        none,
        () => reads.x.store(2),
      ),
      thread(
        reads,
        () => reads.load(0, reads.x),
        none,
        () => reads.load(1, reads.x),
      ),
    ]);
    expect(seen(corr, '(?:10¦20¦21)..|..')).toBe(false);
    expect(corr.every((outcome) => outcome.endsWith('|20'))).toBe(true);
    const own = new Litmus(entries);
    const cowr = own.outcomes([
      thread(
        own,
        () => own.x.store(1),
        none,
        () => own.load(0, own.x),
      ),
      only(() => own.x.store(2)),
    ]);
    expect(cowr).toEqual(['1000|10', '1000|20', '2000|20']);
    const late = new Litmus(entries);
    const corw = late.outcomes([
      thread(
        late,
        () => late.load(0, late.x),
        none,
        () => late.x.store(1),
      ),
      only(() => late.x.store(2)),
    ]);
    expect(corw).toEqual(['0000|10', '0000|20', '2000|10']);
  });

  it('an unlock is no full barrier, dropping a reference is one here', () => {
    const unlocked = new Litmus(entries);
    const side = (own: Cell, other: Cell, register: number) =>
      function* (): Task {
        yield* unlocked.lock.lock();
        yield* own.store(1);
        yield* unlocked.lock.unlock();
        yield* unlocked.load(register, other);
      };
    const store = function* (): Task {
      yield* unlocked.y.store(1);
      yield* unlocked.barrier(smp_mb);
      yield* unlocked.load(1, unlocked.x);
    };
    // A buffer of one entry is emptied by the unlock that has to go into lab.
    expect(seen(unlocked.outcomes([side(unlocked.x, unlocked.y, 0), store]), '00..|11')).toBe(entries > 1);
    const counted = new Litmus(entries);
    counted.count.value = 2;
    const put = (own: Cell, other: Cell, register: number) =>
      function* (): Task {
        yield* own.store(1);
        yield* counted.count.put();
        yield* counted.load(register, other);
      };
    const outcomes = counted.outcomes([put(counted.x, counted.y, 0), put(counted.y, counted.x, 1)]);
    expect(seen(outcomes, '00..|11')).toBe(false);
  });

  it('cmpxchg acts on memory and is a full barrier', () => {
    const lab = new Litmus(entries);
    const outcomes = lab.outcomes([
      function* (): Task {
        yield* lab.x.store(1);
        yield* lab.y.cmpxchg(0, 1);
        yield* lab.load(0, lab.y);
      },
      function* (): Task {
        yield* lab.y.cmpxchg(0, 2);
        yield* lab.load(1, lab.x);
      },
    ]);
    expect(outcomes).toEqual(['1100|11', '2000|12', '2100|12']);
  });
});

test('a machine without buffers is sequentially consistent, and has no daemons', () => {
  expect(seen(storeBuffering(0, none, none), '00..|11')).toBe(false);
});
