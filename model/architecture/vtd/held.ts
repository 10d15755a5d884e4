import type { Store } from '../../../engine/store.ts';

/**
 * Sets of things that hardware may hold, each set of up to 31 a cell of the store. A thing is *doomed* when an invalidation that
 * covers it has been submitted, and is gone when that has been completed, unless it has been filled again meanwhile.
 */
export class Held {
  readonly #store: Store;
  readonly #held: number;
  readonly #doomed: number;
  /** For each set, the last descriptor that dooms a thing of it; completing an earlier one drops nothing of the set. */
  readonly #by: number;
  readonly #count: number;

  constructor(store: Store, count: number, name: string, format: (at: number, bits: number) => string) {
    this.#store = store;
    this.#count = count;
    this.#held = store.reserve(count, name, format);
    this.#doomed = store.reserve(count, `${name}, doomed`);
    this.#by = store.reserve(count, `${name}, doomed by`);
  }

  /** What a set has. */
  of(at: number): number {
    return this.#store.get(this.#held + at);
  }

  /** What a set has that no outstanding invalidation covers. */
  lasting(at: number): number {
    return this.of(at) & ~this.#store.get(this.#doomed + at);
  }

  /** Things are filled: they last until the next invalidation. */
  fill(at: number, bits: number): void {
    if (bits === 0) return;
    this.#store.set(this.#held + at, this.of(at) | bits);
    this.#setDoomed(at, this.#store.get(this.#doomed + at) & ~bits);
  }

  /** Things are filled by what is itself to go: they go with it. */
  fillDoomed(at: number, bits: number, by: number): void {
    const fresh = bits & ~this.of(at);
    if (fresh === 0) return;
    this.#store.set(this.#held + at, this.of(at) | fresh);
    this.doom(at, fresh, by);
  }

  /** Descriptor number `by` covers some things of a set. */
  doom(at: number, bits: number, by: number): void {
    const covered = bits & this.of(at);
    if (covered === 0) return;
    this.#store.set(this.#doomed + at, this.#store.get(this.#doomed + at) | covered);
    this.#store.set(this.#by + at, by);
  }

  /** The last descriptor that dooms a thing of the set; 0: none. */
  doomedBy(at: number): number {
    return this.#store.get(this.#by + at);
  }

  /** Descriptors up to number `last` have been completed. */
  complete(last: number): void {
    for (let at = 0; at < this.#count; at++) {
      const doomed = this.#store.get(this.#doomed + at);
      if (doomed === 0 || this.#store.get(this.#by + at) > last) continue;
      this.#store.set(this.#held + at, this.of(at) & ~doomed);
      this.#setDoomed(at, 0);
    }
  }

  #setDoomed(at: number, doomed: number): void {
    this.#store.set(this.#doomed + at, doomed);
    if (doomed === 0) this.#store.set(this.#by + at, 0);
  }
}
