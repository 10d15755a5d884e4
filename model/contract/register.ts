import type { Store } from '../../engine/store.ts';

/** Values other than 0 that one register remembers; a run that needs more has outgrown its world. */
export const VALUES_MAX = 4;

/** Cells of one slot: the value, and what is known of it. */
const SLOT = 2;
/** One cell for the operations in progress, then slot 0 (the value 0), then the others. */
const STRIDE = 1 + SLOT * (VALUES_MAX + 1);

/** Fields of a slot's state, four bits each, and why the value was last given up. */
const LIFE = 0;
const PENDING = 4;
const FLUSH = 8;
const CAUSE = 12;
const FIELD = 0xf;
/** A value may be read while a write of it is in progress or it has life left. */
const READABLE = (FIELD << LIFE) | (FIELD << PENDING);

const NOT_BEGUN = 'an operation ends that has not begun';

/**
 * Registers that several callers write at once, and the values that a reader may get *now*.
 *
 * A write takes effect at one instant between its begin and its end. A value may be read from the begin of its write
 * until the end of any write that began after its own had ended: that one certainly came later, any other may have come
 * first (M. Herlihy and J. Wing, "Linearizability", TOPLAS 12(3), 1990). A register starts with the settled value 0; to
 * write 0 is to clear it.
 *
 * An end does not say which begin it belongs to, only whether it ends a clear, so the fold counts:
 * - when a value settles while m writes are in progress, then among the next m+1 ends at least one is of a write that
 *   began later. So the value has `life` = m+1 ends to live;
 * - of values other than 0 that are written at once, all settle with the last end.
 *
 * Without concurrency this is exact (m = 0: the next end replaces the value); with it, a value may be permitted a
 * little too long, never too short. A value that may no longer be read stays in its slot, with the cause: this is how
 * a stale value is told from a foreign one.
 */
export class Registers {
  readonly #store: Store;
  readonly #base: number;

  /** @param count number of registers, 0 … count-1. */
  constructor(store: Store, count: number, name: string) {
    this.#store = store;
    this.#base = store.reserve(count * STRIDE, name);
    for (let register = 0; register < count; register++) this.#put(this.#at(register, 0), LIFE, 1);
  }

  /** A write of `value` (0: a clear) begins: from now on the value may be read. */
  begin(register: number, value: number): void {
    this.#addWrites(register, 1);
    this.#add(this.#claim(register, value), PENDING, 1);
  }

  /** A write of some value other than 0 ends; `cause` (0 … 15) is remembered for values that it makes unreadable. */
  end(register: number, cause: number): void {
    this.#leaveSet(register);
    this.#age(register, cause);
    this.#settleSets(register);
  }

  /** A clear ends. */
  endClear(register: number, cause: number): void {
    this.#leaveClear(register);
    this.#age(register, cause);
    this.#settle(this.#at(register, 0), this.writes(register));
  }

  /** A clear ends, but what it clears may be read until `flushes` more calls of `flushed`, or until another end. */
  endClearLazily(register: number, flushes: number): void {
    this.#leaveClear(register);
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      if (this.#field(at, LIFE) === 1 && this.#field(at, FLUSH) === 0) this.#put(at, FLUSH, flushes);
    }
    this.#settle(this.#at(register, 0), this.writes(register));
    this.#clamp(register);
  }

  /** A flush ended: values that waited for it may no longer be read. Says if there were any. */
  flushed(register: number, cause: number): boolean {
    let any = false;
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      const flush = this.#field(at, FLUSH);
      if (flush > 1) this.#put(at, FLUSH, flush - 1);
      if (flush !== 1) continue;
      this.#giveUp(at, cause);
      any = true;
    }
    return any;
  }

  /** A write of `value`, not 0, is taken back: it never happened, and replaced nothing. */
  cancel(register: number, value: number): void {
    this.#leaveSet(register);
    const at = this.#slotOf(register, value);
    if (at < 0) throw new Error(NOT_BEGUN);
    this.#add(at, PENDING, -1);
    this.#settleSets(register);
    this.#clamp(register);
  }

  /** Number of writes in progress. */
  writes(register: number): number {
    return this.#store.get(this.#base + register * STRIDE);
  }

  /** True if the value may be read now. */
  live(register: number, value: number): boolean {
    const store = this.#store;
    const last = this.#at(register, VALUES_MAX);
    for (let at = this.#at(register, 0); at <= last; at += SLOT)
      if (store.get(at) === value && (store.get(at + 1) & READABLE) !== 0) return true;
    return false;
  }

  /** The value in a slot (0 … VALUES_MAX) if it may be read now, else -1. */
  liveAt(register: number, slot: number): number {
    const at = this.#at(register, slot);
    return (this.#store.get(at + 1) & READABLE) === 0 ? -1 : this.#store.get(at);
  }

  /** The value that a slot (0 … VALUES_MAX) remembers, whether or not it may be read now; 0 if it has none. */
  rememberedAt(register: number, slot: number): number {
    return this.#store.get(this.#at(register, slot));
  }

  /** Why the value may no longer be read: the cause given, or -1 if it may be read or is not remembered. */
  goneBy(register: number, value: number): number {
    for (let slot = 0; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      if (this.#store.get(at) === value && this.liveAt(register, slot) < 0) return this.#field(at, CAUSE);
    }
    return -1;
  }

  #at(register: number, slot: number): number {
    return this.#base + register * STRIDE + 1 + slot * SLOT;
  }

  #field(at: number, field: number): number {
    return (this.#store.get(at + 1) >> field) & FIELD;
  }

  #put(at: number, field: number, value: number): void {
    if (value < 0 || value > FIELD) throw new Error('more concurrent operations on one address than a monitor counts');
    this.#store.set(at + 1, (this.#store.get(at + 1) & ~(FIELD << field)) | (value << field));
  }

  #add(at: number, field: number, by: number): void {
    this.#put(at, field, this.#field(at, field) + by);
  }

  #addWrites(register: number, by: number): void {
    const cell = this.#base + register * STRIDE;
    this.#store.set(cell, this.#store.get(cell) + by);
  }

  /** One write of a value other than 0 is no longer in progress. */
  #leaveSet(register: number): void {
    if (this.writes(register) === this.#clears(register)) throw new Error(NOT_BEGUN);
    this.#addWrites(register, -1);
  }

  /** One clear is no longer in progress. */
  #leaveClear(register: number): void {
    if (this.#clears(register) === 0) throw new Error(NOT_BEGUN);
    this.#addWrites(register, -1);
    this.#add(this.#at(register, 0), PENDING, -1);
  }

  /** Number of clears in progress. */
  #clears(register: number): number {
    return this.#field(this.#at(register, 0), PENDING);
  }

  /** A write has ended: every settled value has one end less to live. */
  #age(register: number, cause: number): void {
    for (let slot = 0; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      const life = this.#field(at, LIFE);
      if (life === 1) this.#giveUp(at, cause);
      else if (life > 1) this.#put(at, LIFE, life - 1);
    }
  }

  /** Settles what has been written, when nothing but clears is in progress any more. */
  #settleSets(register: number): void {
    const writes = this.writes(register);
    if (writes !== this.#clears(register)) return;
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      if (this.#field(at, PENDING) === 0) continue;
      this.#put(at, PENDING, 0);
      this.#settle(at, writes);
    }
  }

  /** A value settles while `writes` others are in progress. */
  #settle(at: number, writes: number): void {
    this.#put(at, LIFE, writes + 1);
    this.#put(at, CAUSE, 0);
  }

  #giveUp(at: number, cause: number): void {
    this.#put(at, LIFE, 0);
    this.#put(at, FLUSH, 0);
    this.#put(at, CAUSE, cause);
  }

  /** With m writes in progress no settled value can survive more than m+1 ends. */
  #clamp(register: number): void {
    const most = this.writes(register) + 1;
    for (let slot = 0; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      if (this.#field(at, LIFE) > most) this.#put(at, LIFE, most);
    }
  }

  /** The slot of a value other than 0, or -1. */
  #slotOf(register: number, value: number): number {
    for (let slot = 1; slot <= VALUES_MAX; slot++) {
      const at = this.#at(register, slot);
      if (this.#store.get(at) === value) return at;
    }
    return -1;
  }

  /** A slot for a value: its own, an empty one, or that of a value which may no longer be read. */
  #claim(register: number, value: number): number {
    if (value === 0) return this.#at(register, 0);
    const own = this.#slotOf(register, value);
    if (own >= 0) return own;
    let slot = this.#slotOf(register, 0);
    for (let old = 1; slot < 0 && old <= VALUES_MAX; old++)
      if (this.liveAt(register, old) < 0) slot = this.#at(register, old);
    if (slot < 0) throw new Error(`more than ${VALUES_MAX} values of one address may be seen at once`);
    this.#store.set(slot, value);
    this.#store.set(slot + 1, 0);
    return slot;
  }
}
