import { putUnit, takeUnit, unitWords, type Unit } from '../unit.ts';

/** What is asked of the threads, as bits of one word. */
export const SIGNAL = {
  /** Come to an end: a counterexample was found, a bound was hit, or the user wants it. */
  STOP: 1,
  /** Nobody has anything left to do. */
  DONE: 2,
  /** Stand still: the table is to grow, or the state of the search to be saved. */
  PAUSE: 4,
} as const;

/** What a thread's mailbox is: nobody may use it, its owner waits for work, somebody is filling it, it is full. */
const MAIL = { CLOSED: 0, OPEN: 1, CLAIMED: 2, FULL: 3 } as const;

/** Words of the block before those of each thread. */
const SIGNALS = 0;
const IDLE = 1;
/** Number of the pause that has ended last. */
const RESUMED = 2;
/** For moving into a larger table: the next part to move, threads that have moved all, and the pause in which that was. */
const PART = 3;
const MOVED = 4;
const MOVED_ALL = 5;
const SHARED = 16;

/** Words of a thread: its mailbox, and what it has counted. Lines of their own, so that threads do not disturb each other. */
const PER_THREAD = 32;
const COUNTS = 16;
/** Longest schedule that a unit may stand behind when it is given away. */
export const PREFIX_MAX = 2048;
/** Milliseconds after which a thread that waits looks around. */
const PATIENCE_MS = 5;

/** What a thread has done. */
export interface Counts {
  readonly states: number;
  readonly transitions: number;
  readonly ends: number;
  /** Longest schedule followed. */
  readonly depth: number;
  readonly failures: number;
}

/**
 * The memory through which the threads of one search talk: who is idle, who wants what, and how much has been done. A
 * thread that is busy looks at one word for each state; it gives work away when another is idle.
 */
export class Control {
  readonly memory: SharedArrayBuffer;
  readonly threads: number;
  readonly #words: Int32Array;
  readonly #counts: Float64Array;

  /** @param memory that of another thread's control; default: a new one. */
  constructor(threads: number, memory?: SharedArrayBuffer) {
    this.threads = threads;
    this.memory = memory ?? new SharedArrayBuffer(4 * (SHARED + threads * (PER_THREAD + even(unitWords(PREFIX_MAX)))));
    this.#words = new Int32Array(this.memory);
    this.#counts = new Float64Array(this.memory);
  }

  /** Bits of `SIGNAL` that are set. */
  get signals(): number {
    return Atomics.load(this.#words, SIGNALS);
  }

  /** Number of threads that have nothing to do. */
  get idle(): number {
    return Atomics.load(this.#words, IDLE);
  }

  /** Sets bits of `SIGNAL`. */
  raise(bits: number): void {
    Atomics.or(this.#words, SIGNALS, bits);
    for (let thread = 0; thread < this.threads; thread++) Atomics.notify(this.#words, this.#mail(thread));
  }

  /** Publishes what a thread has counted so far. */
  count(thread: number, { states, transitions, ends, depth, failures }: Counts): void {
    const at = (SHARED + thread * PER_THREAD + COUNTS) / 2;
    this.#counts.set([states, transitions, ends, depth, failures], at);
  }

  /** What all threads have counted together, as last published. */
  total(): Counts {
    const total = { states: 0, transitions: 0, ends: 0, depth: 0, failures: 0 };
    for (let thread = 0; thread < this.threads; thread++) {
      const at = (SHARED + thread * PER_THREAD + COUNTS) / 2;
      total.states += this.#counts[at] as number;
      total.transitions += this.#counts[at + 1] as number;
      total.ends += this.#counts[at + 2] as number;
      total.depth = Math.max(total.depth, this.#counts[at + 3] as number);
      total.failures += this.#counts[at + 4] as number;
    }
    return total;
  }

  /**
   * Gives a unit to some thread that has nothing to do, if there is one.
   *
   * @param take makes the unit, whose prefix is no longer than `PREFIX_MAX`; undefined: there is nothing to give.
   * @returns false if there was nothing to give.
   */
  give(take: () => Unit | undefined): boolean {
    const words = this.#words;
    for (let thread = 0; thread < this.threads; thread++) {
      const mail = this.#mail(thread);
      if (Atomics.compareExchange(words, mail, MAIL.OPEN, MAIL.CLAIMED) !== MAIL.OPEN) continue;
      const unit = take();
      if (unit === undefined) {
        Atomics.store(words, mail, MAIL.OPEN);
        return false;
      }
      // The other thread is counted as busy before it knows: else all could seem idle.
      Atomics.sub(words, IDLE, 1);
      putUnit(words, this.#letter(thread), unit);
      Atomics.store(words, mail, MAIL.FULL);
      Atomics.notify(words, mail);
      return true;
    }
    return true;
  }

  /** The thread has nothing to do; the last one to say so ends the search. */
  becomeIdle(thread: number): void {
    const words = this.#words;
    Atomics.store(words, this.#mail(thread), MAIL.OPEN);
    if (Atomics.add(words, IDLE, 1) + 1 === this.threads) this.raise(SIGNAL.DONE);
  }

  /** Waits for work a few milliseconds; undefined if none came. */
  receive(thread: number): Unit | undefined {
    const words = this.#words;
    const mail = this.#mail(thread);
    if (Atomics.load(words, mail) === MAIL.OPEN) Atomics.wait(words, mail, MAIL.OPEN, PATIENCE_MS);
    while (Atomics.load(words, mail) === MAIL.CLAIMED) Atomics.wait(words, mail, MAIL.CLAIMED, PATIENCE_MS);
    if (Atomics.load(words, mail) !== MAIL.FULL) return undefined;
    const unit = takeUnit(words, this.#letter(thread));
    Atomics.store(words, mail, MAIL.CLOSED);
    return unit;
  }

  /** An idle thread takes no work any more; false if it has been given some. */
  close(thread: number): boolean {
    const mail = this.#mail(thread);
    return Atomics.compareExchange(this.#words, mail, MAIL.OPEN, MAIL.CLOSED) === MAIL.OPEN;
  }

  /** An idle thread takes work again. */
  open(thread: number): void {
    Atomics.store(this.#words, this.#mail(thread), MAIL.OPEN);
  }

  /** Number of pauses that have ended. */
  get pauses(): number {
    return Atomics.load(this.#words, RESUMED);
  }

  /** Ends a pause. Only when all threads stand still. */
  resume(): void {
    const words = this.#words;
    Atomics.store(words, PART, 0);
    Atomics.store(words, MOVED, 0);
    Atomics.and(words, SIGNALS, ~SIGNAL.PAUSE);
    Atomics.add(words, RESUMED, 1);
    Atomics.notify(words, RESUMED);
  }

  /** Waits until pause number `pauses` + 1 has ended. */
  waitForResume(pauses: number): void {
    while (this.pauses === pauses) Atomics.wait(this.#words, RESUMED, pauses, 1_000);
  }

  /** The next part of the table that this thread is to move. */
  nextPart(): number {
    return Atomics.add(this.#words, PART, 1);
  }

  /** This thread has moved its parts: waits until all have. `pause` is the number of the pause. */
  waitUntilMoved(pause: number): void {
    const words = this.#words;
    if (Atomics.add(words, MOVED, 1) + 1 === this.threads) {
      Atomics.store(words, MOVED_ALL, pause);
      Atomics.notify(words, MOVED_ALL);
      return;
    }
    for (;;) {
      const done = Atomics.load(words, MOVED_ALL);
      if (done === pause || (this.signals & SIGNAL.STOP) !== 0) return;
      Atomics.wait(words, MOVED_ALL, done, 1_000);
    }
  }

  #mail(thread: number): number {
    return SHARED + thread * PER_THREAD;
  }

  #letter(thread: number): number {
    return SHARED + this.threads * PER_THREAD + thread * even(unitWords(PREFIX_MAX));
  }
}

function even(words: number): number {
  return words + (words & 1);
}
