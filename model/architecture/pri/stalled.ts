import type { Store } from '../../../engine/store.ts';

/**
 * Transactions that an SMMU has stalled, by StreamID and STAG (IHI 0070 §3.12.2). A tag is taken until software has
 * acknowledged it by CMD_RESUME or CMD_STALL_TERM; then another transaction may get it at once.
 */
export class StalledTransactions {
  readonly #store: Store;
  readonly #tags: number;
  /** For each device and tag: number of the transaction; 0: the tag is free. */
  readonly #stalled: number;
  /** For each device and tag, 1 if it has been used. */
  readonly #used: number;

  /** @param tags of each device. */
  constructor(store: Store, devices: number, tags: number) {
    this.#store = store;
    this.#tags = tags;
    const show = (at: number, id: number): string =>
      `dev${Math.floor(at / tags)}, STAG ${at % tags} ${id === 0 ? 'free' : 'stalled'}`;
    this.#stalled = store.reserve(devices * tags, 'STAG', show);
    this.#used = store.reserve(devices * tags, 'STAG used');
  }

  /** A tag that the next transaction of a device gets; -1 if there is none: it waits. */
  freeTag(device: number): number {
    for (let tag = 0; tag < this.#tags; tag++) if (this.#store.get(this.#cell(device, tag)) === 0) return tag;
    return -1;
  }

  /** A transaction stalls under a free tag. True if another one has had it before. */
  stall(device: number, tag: number, id: number): boolean {
    const again = this.#store.get(this.#used + device * this.#tags + tag) === 1;
    this.#store.set(this.#used + device * this.#tags + tag, 1);
    this.#store.set(this.#cell(device, tag), id);
    return again;
  }

  /** Whether a transaction has not been resumed or terminated. */
  isStalled(device: number, id: number): boolean {
    for (let tag = 0; tag < this.#tags; tag++) if (this.#store.get(this.#cell(device, tag)) === id) return true;
    return false;
  }

  /** CMD_RESUME, retry or abort: has no effect if nothing is stalled under the tag. */
  resume(device: number, tag: number): void {
    this.#store.set(this.#cell(device, tag), 0);
  }

  /** CMD_STALL_TERM: every stalled transaction of a stream is terminated, whatever its substream. Their numbers. */
  terminate(device: number): number[] {
    const ids: number[] = [];
    for (let tag = 0; tag < this.#tags; tag++) {
      const id = this.#store.get(this.#cell(device, tag));
      if (id !== 0) ids.push(id);
      this.resume(device, tag);
    }
    return ids;
  }

  #cell(device: number, tag: number): number {
    return this.#stalled + device * this.#tags + tag;
  }
}
