import type { Store } from '../../../engine/store.ts';

/**
 * Which things the hardware may hold now. Each thing that could ever be held (a version of a configuration word, a table
 * descriptor, a leaf translation) is interned once and owns one cell of the store, its state:
 *
 *   0       it is not held
 *   1       it is held
 *   else    it is held, but doomed: it goes when an invalidation that dooms it has completed, unless a fresh read of
 *           memory brings it back before (then it is 1 again). The low 20 bits are n + 2 if the first command that
 *           dooms it is that with sequence number n, and 1 if no command does. Above them is a bit for each broadcast
 *           invalidation that dooms it (`OutstandingBroadcasts`): it goes with the first of all these to complete.
 *
 * The start of walks is there as long as some context leads to it: its cell counts these, and nothing dooms it.
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
  /** Tells what it holds from the same things in other tables. */
  readonly #prefix: string;
  #count = 0;

  /**
   * @param capacity most things that can ever be interned in this world.
   * @param holder whose they are: of several tables in one store, each has its own.
   */
  constructor(store: Store, capacity: number, holder = 'the SMMU') {
    this.#prefix = `${holder}: `;
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
    this.name(cell, content);
    return cell;
  }

  /** Says what else a cell of the same holder stands for. */
  name(cell: number, content: string): void {
    this.#store.name(cell, this.#prefix + content);
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
   * The thing has been read (again) in such a way that its state is at least `state`: of the two copies the one that
   * lives longer counts (`longerLived`).
   *
   * @returns whether that changed anything.
   */
  raise(cell: number, state: number): boolean {
    const now = this.#store.get(cell);
    if (now === 1 || now === state || longerLived(now, state) === now) return false;
    this.#store.set(cell, state);
    return true;
  }

  /** Whether an invalidation with a mark would change something: the thing is held, and no earlier command dooms it. */
  dooms(cell: number, mark: number): boolean {
    const now = this.#store.get(cell);
    return (mark & COMMAND) === 0 ? now !== 0 : (now & COMMAND) === 1;
  }

  /** Dooms the thing by the invalidation with a mark (`commandMark`, `broadcastMark`); see `dooms`. */
  doomBy(cell: number, mark: number): boolean {
    if (!this.dooms(cell, mark)) return false;
    const now = this.#store.get(cell);
    this.#store.set(cell, (mark & COMMAND) === 0 ? now | mark : (now & ~COMMAND) | mark);
    return true;
  }

  /** Dooms the thing by the command with a sequence number, if it is held and not doomed by a command already. */
  doom(cell: number, sequence: number): boolean {
    return this.doomBy(cell, commandMark(sequence));
  }

  /** Drops the thing if it is doomed by a command before `sequence`. */
  complete(cell: number, sequence: number): boolean {
    const command = this.#store.get(cell) & COMMAND;
    if (command < 2 || command - 2 >= sequence) return false;
    this.#store.set(cell, 0);
    return true;
  }

  /** Drops the thing if one of the broadcasts in a set, a bit for each, dooms it. */
  completeBroadcasts(cell: number, broadcasts: number): boolean {
    if ((broadcastsOf(this.#store.get(cell)) & broadcasts) === 0) return false;
    this.#store.set(cell, 0);
    return true;
  }

  /** The broadcasts in a set take nothing away after all. */
  spare(broadcasts: number): void {
    for (let at = 0; at < this.#count; at++) {
      if (this.#counting[at] === 1) continue;
      const cell = this.#base + at;
      this.#store.set(cell, this.#store.get(cell) & ~(broadcasts << COMMAND_BITS));
    }
  }
}

const COMMAND_BITS = 20;
/** The bits of a state that say which command dooms the thing. */
const COMMAND = (1 << COMMAND_BITS) - 1;

/** Most commands in one history, so that a state has room for their sequence numbers. */
export const SEQUENCES_MAX = COMMAND - 1;
/** Number of broadcasts that can be told apart at a time. */
export const BROADCASTS_MAX = 32 - COMMAND_BITS;

/** The mark of the command with a sequence number: the state of what it alone dooms. */
export function commandMark(sequence: number): number {
  return sequence + 2;
}

/** The mark of a broadcast: its bit in a state. */
export function broadcastMark(slot: number): number {
  return 1 << (COMMAND_BITS + slot);
}

/** Whether a thing with a state is held and doomed. */
export function isDoomed(state: number): boolean {
  return state !== 0 && state !== 1;
}

/** Sequence number of the first command that dooms a thing with a state, or -1. */
export function dooming(state: number): number {
  const command = state & COMMAND;
  return command < 2 ? -1 : command - 2;
}

/** The broadcasts that doom a thing with a state, a bit for each. */
export function broadcastsOf(state: number): number {
  return state >>> COMMAND_BITS;
}

/** State of something held that a command, -1 for none, and a set of broadcasts doom. */
export function doomedBy(sequence: number, broadcasts: number): number {
  return (sequence === -1 ? 1 : sequence + 2) | (broadcasts << COMMAND_BITS);
}

/**
 * Of two copies of a thing, with a state each, the one that lives longer; the thing has gone when both have. Where fewer
 * invalidations take one copy away (none; a later command; a smaller set of broadcasts), it outlives the other. Else
 * neither is sure to outlive the other, and to keep both would need more than a state. One of them is forgotten then: what
 * must have gone is never held, and something that may be held might be missing. The copy that no command dooms, or the
 * later one, is kept, then that with fewer broadcasts: an order of all states, so that it does not matter which came first.
 */
export function longerLived(first: number, second: number): number {
  if (first === 0 || second === 1) return second;
  if (second === 0 || first === 1) return first;
  const command = first & COMMAND;
  const other = second & COMMAND;
  if (command !== other) return command === 1 || (other !== 1 && command > other) ? first : second;
  const fewer = bitsOf(broadcastsOf(first)) - bitsOf(broadcastsOf(second));
  if (fewer !== 0) return fewer < 0 ? first : second;
  return first < second ? first : second;
}

/** State of a thing that needs two others, both held: it goes as soon as either does. */
export function both(first: number, second: number): number {
  if (first === 1) return second;
  if (second === 1) return first;
  const command = first & COMMAND;
  const other = second & COMMAND;
  const earlier = command === 1 || (other !== 1 && other < command) ? other : command;
  return earlier | ((first | second) & ~COMMAND);
}

function bitsOf(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}
