import type { Store } from '../../../engine/store.ts';

/** Response codes of a page request group (PCIe ATS §10.4.2.1; IHI 0070 §4.5.2, §8.3). */
export const RESPONSE = { SUCCESS: 1, INVALID: 2, FAILURE: 3 } as const;

/** Messages of one function that can be on their way at once. */
const IN_FLIGHT_MAX = 4;

/** State of a group index: in a group that has no last request yet; waiting for a response that somebody, or nobody, wants. */
const [FREE, OPEN, WAITING, UNWATCHED, RESPONDED] = [0, 1, 2, 3, 3];
const STATES = ['free', 'open', 'outstanding', 'outstanding, nobody waits', 'Success', 'Invalid', 'Failure'];

/**
 * PCIe functions with a page request interface: which group indices each has given out and not had back, and its messages
 * that have not reached the IOMMU yet. These are posted and stay in order; whoever waits for the completion of an ATS
 * invalidation of the function knows that those sent before have arrived (PCIe ATS §10.3).
 */
export class PriFunctions {
  readonly #store: Store;
  readonly #groups: number;
  /** For each function and group index: `FREE` and so on, or `RESPONDED` and the response. */
  readonly #state: number;
  /** For each function, its messages on their way, oldest first; 0: none. */
  readonly #wire: number;

  /** For each function, 1 after a Response Failure: it sends nothing any more (PCIe ATS §10.4.2.1). */
  readonly #disabled: number;

  constructor(store: Store, devices: number, groups: number) {
    this.#store = store;
    this.#groups = groups;
    const show = (at: number, state: number): string =>
      `dev${Math.floor(at / groups)}, PRG ${at % groups} ${STATES[state] ?? '?'}`;
    this.#state = store.reserve(devices * groups, 'PRG index', show);
    this.#disabled = store.reserve(devices, 'PRI disabled', (at, disabled) => `dev${at} ${disabled}`);
    this.#wire = store.reserve(devices * IN_FLIGHT_MAX, 'on the wire');
  }

  /** Whether a group index may be used for a new group. */
  isFree(device: number, group: number): boolean {
    return this.#store.get(this.#cell(device, group)) === FREE;
  }

  /** Whether a group has no response yet whose last request has been sent. */
  isOutstanding(device: number, group: number): boolean {
    const state = this.#store.get(this.#cell(device, group));
    return state === WAITING || state === UNWATCHED;
  }

  /** A group begins whose last request comes later: its index is taken. */
  open(device: number, group: number): void {
    this.#store.set(this.#cell(device, group), OPEN);
  }

  /**
   * The last request of a group is sent: its index is taken until the response.
   *
   * @param watched somebody waits for the response and takes note of it (`release`).
   */
  outstanding(device: number, group: number, watched: boolean): void {
    this.#store.set(this.#cell(device, group), watched ? WAITING : UNWATCHED);
  }

  /** A response arrives. One that the function does not expect is ignored. */
  respond(device: number, group: number, response: number): void {
    const cell = this.#cell(device, group);
    const state = this.#store.get(cell);
    if (response === RESPONSE.FAILURE) this.#store.set(this.#disabled + device, 1);
    if (state === WAITING) this.#store.set(cell, RESPONDED + response);
    else if (state === UNWATCHED) this.#store.set(cell, FREE);
  }

  /** The response to a group that somebody waits for, 0 while there is none. */
  response(device: number, group: number): number {
    return Math.max(0, this.#store.get(this.#cell(device, group)) - RESPONDED);
  }

  /** The index is free again: the function has taken note of the response, or has given the group up. */
  release(device: number, group: number): void {
    this.#store.set(this.#cell(device, group), FREE);
  }

  /** Whether some more messages can be sent. */
  canSend(device: number, messages: number): boolean {
    return this.#store.get(this.#disabled + device) === 0 && this.inFlight(device) + messages <= IN_FLIGHT_MAX;
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
