import type { Store } from '../../../engine/store.ts';

/** Response codes of a page request group (PCIe ATS §10.4.2.1; IHI 0070 §4.5.2, §8.3). */
export const RESPONSE = { SUCCESS: 1, INVALID: 2, FAILURE: 3 } as const;

/** Messages of one function that can be on their way at once. */
const IN_FLIGHT_MAX = 4;

/**
 * PCIe functions with a page request interface: which group indices each has given out and not had back, and its messages
 * that have not reached the IOMMU yet. These are posted and stay in order; whoever waits for the completion of an ATS
 * invalidation of the function knows that those sent before have arrived (PCIe ATS §10.3).
 */
export class PriFunctions {
  readonly #store: Store;
  readonly #groups: number;
  /** For each function and group index: 0 free, 1 waits for its response, else the response and 1. */
  readonly #state: number;
  /** For each function, its messages on their way, oldest first; 0: none. */
  readonly #wire: number;

  constructor(store: Store, devices: number, groups: number) {
    this.#store = store;
    this.#groups = groups;
    const show = (_at: number, state: number): string =>
      ['free', 'outstanding', 'Success', 'Invalid', 'Failure'][state] ?? '?';
    this.#state = store.reserve(devices * groups, 'PRG index', show);
    this.#wire = store.reserve(devices * IN_FLIGHT_MAX, 'on the wire');
  }

  /** Whether a group index may be used for a new group: it has no response outstanding. */
  isFree(device: number, group: number): boolean {
    return this.#store.get(this.#cell(device, group)) === 0;
  }

  /** A group has been sent to its end: its index is taken until the response. */
  outstanding(device: number, group: number): void {
    this.#store.set(this.#cell(device, group), 1);
  }

  /** A response arrives. One that nobody waits for is ignored by the function. */
  respond(device: number, group: number, response: number): void {
    const cell = this.#cell(device, group);
    if (this.#store.get(cell) === 1) this.#store.set(cell, 1 + response);
  }

  /** The response to a group, 0 while there is none. */
  response(device: number, group: number): number {
    return Math.max(0, this.#store.get(this.#cell(device, group)) - 1);
  }

  /** The function has taken note of a response: the index is free. */
  release(device: number, group: number): void {
    this.#store.set(this.#cell(device, group), 0);
  }

  /** Sends a message. False if the function has to wait, because too many are on their way. */
  send(device: number, code: number): boolean {
    const count = this.inFlight(device);
    if (count === IN_FLIGHT_MAX) return false;
    this.#store.set(this.#wire + device * IN_FLIGHT_MAX + count, code);
    return true;
  }

  /** Number of messages of a function that are on their way. */
  inFlight(device: number): number {
    let count = 0;
    while (count < IN_FLIGHT_MAX && this.#store.get(this.#wire + device * IN_FLIGHT_MAX + count) !== 0) count++;
    return count;
  }

  /** Takes the oldest message of a function off the wire. */
  deliver(device: number): number {
    const base = this.#wire + device * IN_FLIGHT_MAX;
    const code = this.#store.get(base);
    for (let at = 0; at < IN_FLIGHT_MAX; at++)
      this.#store.set(base + at, at + 1 < IN_FLIGHT_MAX ? this.#store.get(base + at + 1) : 0);
    return code;
  }

  #cell(device: number, group: number): number {
    return this.#state + device * this.#groups + group;
  }
}
