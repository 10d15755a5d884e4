import { HarnessError } from '../../../engine/failure.ts';
import type { Store } from '../../../engine/store.ts';

/** Most versions of one word that hardware may hold at a time. */
const VERSIONS_MAX = 6;
/** Cells of a version: its state and its two lanes. */
const VERSION_CELLS = 3;
const HELD = 1;
/** An invalidation has been issued that drops it; it goes when that has completed. */
const DOOMED = 2;

/** Memory as the SMMU reads it. */
export interface Words {
  low(pa: number): number;
  high(pa: number): number;
}

/**
 * One structure as any hardware may hold it: of each 64-bit word all the versions that were in memory since the last
 * completed invalidation. Words are fetched one by one, in any order and at any time (IHI 0070 §3.21.3), so every mix of
 * versions may be in use. Independent of the architecture's configuration cache; the two are compared in tests.
 */
export class HeldStructure {
  readonly pa: number;
  readonly words: number;
  readonly #store: Store;
  readonly #memory: Words;
  readonly #cells: number;

  constructor(store: Store, memory: Words, pa: number, words: number) {
    this.pa = pa;
    this.words = words;
    this.#store = store;
    this.#memory = memory;
    this.#cells = store.reserve(words * VERSIONS_MAX * VERSION_CELLS, 'words held by the SMMU');
  }

  /** Forgets everything but what is in memory. */
  reset(): void {
    for (let word = 0; word < this.words; word++) {
      for (let at = 0; at < VERSIONS_MAX * VERSION_CELLS; at++) this.#store.set(this.#cell(word, 0) + at, 0);
      this.read(word);
    }
  }

  /** The word of the structure at an address, -1 if it is none. */
  wordAt(pa: number): number {
    const word = (pa - this.pa) / 8;
    return word >= 0 && word < this.words ? word : -1;
  }

  /** A fetch may find what is in memory now. */
  read(word: number): void {
    const low = this.#memory.low(this.pa + 8 * word);
    const high = this.#memory.high(this.pa + 8 * word);
    for (let at = 0; at < VERSIONS_MAX; at++) {
      const cell = this.#cell(word, at);
      const free = this.#store.get(cell) === 0;
      if (!free && (this.#store.get(cell + 1) !== low || this.#store.get(cell + 2) !== high)) continue;
      this.#put(cell, HELD, low, high);
      return;
    }
    throw new HarnessError(`more than ${VERSIONS_MAX} versions of a word of a configuration entry`);
  }

  /** An invalidation was issued: all goes but what a fetch finds from now on. */
  invalidate(): void {
    for (let word = 0; word < this.words; word++) {
      for (let at = 0; at < VERSIONS_MAX; at++)
        if (this.#store.get(this.#cell(word, at)) === HELD) this.#store.set(this.#cell(word, at), DOOMED);
      this.read(word);
    }
  }

  /** All invalidations issued have completed. */
  complete(): void {
    for (let word = 0; word < this.words; word++) {
      let to = 0;
      for (let at = 0; at < VERSIONS_MAX; at++) {
        const cell = this.#cell(word, at);
        const [state, low, high] = [this.#store.get(cell), this.#store.get(cell + 1), this.#store.get(cell + 2)];
        this.#put(cell, 0, 0, 0);
        if (state === HELD) this.#put(this.#cell(word, to++), state, low, high);
      }
    }
  }

  /** Every mix of versions, as lanes. */
  *mixes(): Generator<number[]> {
    yield* this.#extend(0, []);
  }

  *#extend(word: number, lanes: readonly number[]): Generator<number[]> {
    if (word === this.words) {
      yield [...lanes];
      return;
    }
    for (let at = 0; at < VERSIONS_MAX; at++) {
      const cell = this.#cell(word, at);
      if (this.#store.get(cell) === 0) continue;
      yield* this.#extend(word + 1, [...lanes, this.#store.get(cell + 1), this.#store.get(cell + 2)]);
    }
  }

  #put(cell: number, state: number, low: number, high: number): void {
    this.#store.set(cell, state);
    this.#store.set(cell + 1, low);
    this.#store.set(cell + 2, high);
  }

  #cell(word: number, at: number): number {
    return this.#cells + (word * VERSIONS_MAX + at) * VERSION_CELLS;
  }
}
