/**
 * A set of small integers that is emptied often. It is no part of the state: it says what to look at again, and looking
 * at something twice does no harm, so it need not be undone.
 */
export class SlotSet {
  /** Number of members. */
  count = 0;
  readonly #members: Int32Array;
  readonly #in: Uint8Array;

  /** @param capacity members are 0 … capacity-1. */
  constructor(capacity: number) {
    this.#members = new Int32Array(capacity);
    this.#in = new Uint8Array(capacity);
  }

  add(slot: number): void {
    if (this.#in[slot] === 1) return;
    this.#in[slot] = 1;
    this.#members[this.count++] = slot;
  }

  /** The member at a position, 0 … count-1, in order of arrival. */
  at(position: number): number {
    return this.#members[position] as number;
  }

  clear(): void {
    for (let position = 0; position < this.count; position++) this.#in[this.#members[position] as number] = 0;
    this.count = 0;
  }
}
