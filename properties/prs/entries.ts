import type { Store } from '../../engine/store.ts';

/** Refuses everything, and tells of no fault. Beside the space, whose entry it still is. */
const QUIET = 8;

/** What a device finds by its PASID. */
export type Lookup = number | 'nothing' | 'quiet';

/**
 * PASID entries of devices, and what an IOMMU may have cached of them: one that a walk has used stays in use until it is
 * flushed, whatever is in memory by then.
 */
export class PasidEntries {
  readonly #store: Store;
  readonly #pasids: number;
  /** For each device and PASID, the space plus 1, and `QUIET`. */
  readonly #entries: number;
  /** The space plus 1 that it led to before. */
  readonly #before: number;
  /** What is cached of the entry; -1: there is no cache. */
  readonly #cached: number;

  /** @param caching entries are cached; else each use looks at memory. */
  constructor(store: Store, devices: number, pasids: number, caching: boolean) {
    this.#store = store;
    this.#pasids = pasids;
    const show = (at: number, entry: number): string => {
      const place = `dev${Math.floor(at / (pasids + 1))}, PASID ${at % (pasids + 1)}`;
      if (entry === 0) return `${place} not present`;
      return `${place} ${entry >= QUIET ? 'quiet, ' : ''}mm${(entry % QUIET) - 1}`;
    };
    const row = (name: string, words?: typeof show): number => store.reserve(devices * (pasids + 1), name, words);
    this.#entries = row('PASID entry', show);
    this.#before = row('PASID entry before');
    this.#cached = caching ? row('PASID cache', show) : -1;
  }

  /** Writes an entry, -1 for none. True if it leads to another space than before. */
  write(device: number, pasid: number, space: number): boolean {
    const at = this.#at(device, pasid);
    const old = this.#store.get(this.#entries + at);
    if (old !== 0) this.#store.set(this.#before + at, old % QUIET);
    const before = this.#store.get(this.#before + at);
    this.#store.set(this.#entries + at, space + 1);
    return space >= 0 && before !== 0 && before !== space + 1;
  }

  /** Makes an entry quiet, if there is one. */
  quiet(device: number, pasid: number): void {
    const cell = this.#entries + this.#at(device, pasid);
    const entry = this.#store.get(cell);
    if (entry !== 0) this.#store.set(cell, QUIET + (entry % QUIET));
  }

  /** Nothing is cached of an entry any more. */
  flush(device: number, pasid: number): void {
    if (this.#cached >= 0) this.#store.set(this.#cached + this.#at(device, pasid), 0);
  }

  /** A device uses a PASID: what is cached of its entry counts, if there is anything. */
  lookUp(device: number, pasid: number): Lookup {
    const at = this.#at(device, pasid);
    const cached = this.#cached < 0 ? 0 : this.#store.get(this.#cached + at);
    const entry = cached === 0 ? this.#store.get(this.#entries + at) : cached;
    if (this.#cached >= 0) this.#store.set(this.#cached + at, entry);
    if (entry === 0) return 'nothing';
    return entry >= QUIET ? 'quiet' : entry - 1;
  }

  /** Whose entry is in memory, -1 if there is none. */
  owner(device: number, pasid: number): number {
    return (this.#store.get(this.#entries + this.#at(device, pasid)) % QUIET) - 1;
  }

  /** Bit set of those whose entry may be cached. */
  cached(device: number, pasid: number): number {
    const entry = this.#cached < 0 ? 0 : this.#store.get(this.#cached + this.#at(device, pasid));
    return entry === 0 ? 0 : 1 << ((entry % QUIET) - 1);
  }

  #at(device: number, pasid: number): number {
    return device * (this.#pasids + 1) + pasid;
  }
}
