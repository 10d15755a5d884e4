import type { Store } from '../../../../engine/store.ts';
import type { TlbInvalidation } from '../commands/invalidation.ts';
import { BROADCASTS_MAX } from '../holds.ts';

/**
 * The broadcast invalidations that the SMMU has honoured and that have not completed, by their numbers on the bus. What
 * is read while they are outstanding, through something that they doom, may have to go with them.
 */
export class OutstandingBroadcasts {
  readonly #store: Store;
  /** A cell for each number: 1 more than the index of the invalidation, 0 for none. */
  readonly #cells: number;
  readonly #known: TlbInvalidation[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #ids = new WeakMap<TlbInvalidation, number>();

  constructor(store: Store) {
    this.#store = store;
    this.#cells = store.reserve(BROADCASTS_MAX, 'outstanding broadcasts');
    store.mean(this.#cells, BROADCASTS_MAX, (id) => keyOf(this.#known[id - 1] as TlbInvalidation));
  }

  /** An invalidation as a broadcast: what is equal is one object. */
  interned(invalidation: TlbInvalidation): TlbInvalidation {
    return this.#known[this.#id(invalidation) - 1] as TlbInvalidation;
  }

  /**
   * An invalidation has been received under a number, perhaps again.
   *
   * @returns it as a broadcast.
   */
  add(invalidation: TlbInvalidation, slot: number): TlbInvalidation {
    if (slot >= BROADCASTS_MAX) throw new RangeError(`broadcast ${slot}: there are ${BROADCASTS_MAX} numbers`);
    this.#store.set(this.#cells + slot, this.#id(invalidation));
    return this.interned(invalidation);
  }

  /** Forgets those of a set, a bit for each. */
  complete(broadcasts: number): void {
    for (let slot = 0; slot < BROADCASTS_MAX; slot++)
      if ((broadcasts & (1 << slot)) !== 0) this.#store.set(this.#cells + slot, 0);
  }

  /** Those of a set, a bit for each, that are outstanding and pass a test. */
  filter(broadcasts: number, passes: (invalidation: TlbInvalidation) => boolean): number {
    let passed = 0;
    for (let slot = 0; slot < BROADCASTS_MAX; slot++) {
      if ((broadcasts & (1 << slot)) === 0) continue;
      const invalidation = this.#known[this.#store.get(this.#cells + slot) - 1];
      if (invalidation !== undefined && passes(invalidation)) passed |= 1 << slot;
    }
    return passed;
  }

  /** Those of a set that are outstanding. */
  among(broadcasts: number): number {
    return this.filter(broadcasts, () => true);
  }

  #id(invalidation: TlbInvalidation): number {
    const known = this.#ids.get(invalidation);
    if (known !== undefined) return known;
    const key = keyOf(invalidation);
    let id = this.#byKey.get(key);
    if (id === undefined) {
      id = this.#known.push({ ...invalidation, broadcast: true });
      this.#byKey.set(key, id);
    }
    this.#ids.set(invalidation, id);
    return id;
  }
}

function keyOf({ of, vmid, asid, byAddress, page, pages, leaf, granule, level }: TlbInvalidation): string {
  const where = byAddress ? ` ${page}+${pages}/${granule}/${level}${leaf ? '/leaf' : ''}` : '';
  return `${of ?? 'stage 1'} ${vmid}.${asid}${where}`;
}
