import type { Store } from '../../engine/store.ts';

/** Who owned a PASID when something was asked for by it, for witnesses: its owners are counted. */
export class PasidReuse {
  readonly #store: Store;
  readonly #groups: number;
  /** For each PASID, how many owners it has had. */
  readonly #owners: number;
  /** For each device and group, the same at its last request. */
  readonly #asked: number;

  constructor(store: Store, devices: number, groups: number, pasids: number) {
    this.#store = store;
    this.#groups = groups;
    this.#owners = store.reserve(pasids + 1, 'owners of PASID');
    this.#asked = store.reserve(devices * groups, 'owners of PASID when asked');
  }

  /** A PASID gets an owner. */
  allocated(pasid: number): void {
    this.#store.set(this.#owners + pasid, this.#store.get(this.#owners + pasid) + 1);
  }

  /** The last request of a group is made. */
  asked(device: number, group: number, pasid: number): void {
    this.#store.set(this.#asked + device * this.#groups + group, this.#store.get(this.#owners + pasid));
  }

  /** Whether the PASID of a group has another owner by now. */
  isReused(device: number, group: number, pasid: number): boolean {
    return this.#store.get(this.#asked + device * this.#groups + group) !== this.#store.get(this.#owners + pasid);
  }
}
