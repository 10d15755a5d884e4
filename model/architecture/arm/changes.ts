import type { IndexedUniverse } from './universe.ts';

/** What is to be looked at again at the end of the current change: streams whose configuration is followed, and slots. */
export class Changes {
  readonly #streamIds: readonly number[];
  readonly #streams: Uint8Array;
  readonly #slots: Uint8Array;
  readonly #touchedSlots: Int32Array;
  #slotCount = 0;
  #anyStream = false;

  constructor({ slots, streamIds }: IndexedUniverse) {
    this.#streamIds = streamIds;
    this.#streams = new Uint8Array(streamIds.length);
    this.#slots = new Uint8Array(slots.length);
    this.#touchedSlots = new Int32Array(slots.length);
  }

  /** Whether there are streams to be taken. */
  get inStreams(): boolean {
    return this.#anyStream;
  }

  /** The configuration of the streams in a range may have changed. */
  touchStreams(first: number, count: number): void {
    for (let index = 0; index < this.#streams.length; index++) {
      const streamId = this.#streamIds[index] as number;
      if (streamId < first || streamId >= first + count) continue;
      this.#streams[index] = 1;
      this.#anyStream = true;
    }
  }

  /** The outcomes of some slots may have changed. */
  touchSlots(slots: readonly number[]): void {
    for (const slot of slots) {
      if (this.#slots[slot] === 1) continue;
      this.#slots[slot] = 1;
      this.#touchedSlots[this.#slotCount++] = slot;
    }
  }

  /** Calls back for each stream touched, once. */
  takeStreams(take: (streamId: number) => void): void {
    this.#anyStream = false;
    for (let index = 0; index < this.#streams.length; index++) {
      if (this.#streams[index] === 0) continue;
      this.#streams[index] = 0;
      take(this.#streamIds[index] as number);
    }
  }

  /** Calls back for each slot touched, in the order in which they were touched. */
  takeSlots(take: (slot: number) => void): void {
    for (let at = 0; at < this.#slotCount; at++) {
      const slot = this.#touchedSlots[at] as number;
      this.#slots[slot] = 0;
      take(slot);
    }
    this.#slotCount = 0;
  }
}
