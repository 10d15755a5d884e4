import type { Store } from '../../../engine/store.ts';

/**
 * Which things the hardware may hold now. Each thing that could ever be held (a version of a configuration word, a table
 * descriptor, a leaf translation) is interned once and owns one cell of the store:
 *
 *   0       it is not held
 *   1       it is held
 *   n + 2   it is held, but doomed by the command with sequence number n: it goes when that command has completed,
 *           unless a fresh read of memory brings it back before (then it is 1 again)
 *
 * The start of walks is there as long as some context leads to it: its cell counts these, and no command dooms it.
 *
 * So undo, and the fingerprint of a state, need nothing else. The identity of a thing is its content and the place that
 * it was read from, never when it was read.
 */
export class HoldTable {
  readonly #store: Store;
  readonly #base: number;
  readonly #capacity: number;
  /** 1 for each cell that counts. */
  readonly #counting: Uint8Array;
  #count = 0;

  /**
   * @param capacity most things that can ever be interned in this world.
   * @param holder whose they are, for reports.
   */
  constructor(store: Store, capacity: number, holder = 'the SMMU') {
    this.#store = store;
    this.#capacity = capacity;
    this.#counting = new Uint8Array(capacity);
    this.#base = store.reserve(capacity, `held by ${holder}`);
  }

  /**
   * A new thing, not held.
   *
   * @param content all that tells it from other things, in words: which cell it gets depends on what came up before it,
   *   and is no part of a state's fingerprint.
   * @param counting it is the start of walks.
   * @returns its cell.
   * @throws RangeError if the capacity is used up.
   */
  intern(content: string, counting = false): number {
    if (this.#count === this.#capacity)
      throw new RangeError(`more than ${this.#capacity} entries: give the architecture model a larger capacity`);
    this.grown();
    if (counting) this.#counting[this.#count] = 1;
    const cell = this.#base + this.#count++;
    this.#store.name(cell, content);
    return cell;
  }

  /** Says that what is walked over after a change has grown, although no cell has changed. */
  grown(): void {
    this.#store.epoch++;
  }

  /** See the class. */
  state(cell: number): number {
    return this.#store.get(cell);
  }

  /** What `look`, which changes nothing, finds if all that is doomed by commands before `sequence` has gone. */
  without<Found>(sequence: number, look: () => Found): Found {
    const mark = this.#store.mark();
    for (let at = 0; at < this.#count; at++) if (this.#counting[at] === 0) this.complete(this.#base + at, sequence);
    const found = look();
    this.#store.rollback(mark);
    return found;
  }

  /** Sets the state of a thing; its caller decides whether that is right. */
  set(cell: number, state: number): void {
    this.#store.set(cell, state);
  }

  /**
   * The thing has been read (again) in such a way that its state is at least `state`. A fresh copy outlives a doomed
   * one, and a copy doomed by a later command outlives one doomed by an earlier command.
   *
   * @returns whether that changed anything.
   */
  raise(cell: number, state: number): boolean {
    const now = this.#store.get(cell);
    if (now === 1 || now === state) return false;
    if (now !== 0 && state !== 1 && state < now) return false;
    this.#store.set(cell, state);
    return true;
  }

  /** Dooms the thing by the command with a sequence number, if it is held and not doomed already. */
  doom(cell: number, sequence: number): boolean {
    if (this.#store.get(cell) !== 1) return false;
    this.#store.set(cell, sequence + 2);
    return true;
  }

  /** Drops the thing if it is doomed by a command before `sequence`. */
  complete(cell: number, sequence: number): boolean {
    const now = this.#store.get(cell);
    if (now < 2 || now - 2 >= sequence) return false;
    this.#store.set(cell, 0);
    return true;
  }
}

/** State of a thing that needs two others, both held: it goes as soon as either does. */
export function both(first: number, second: number): number {
  if (first === 1) return second;
  return second === 1 ? first : Math.min(first, second);
}
