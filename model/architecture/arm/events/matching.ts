/**
 * Pairs events with records, each at most once. Augmenting paths never leave out again what is paired already, so first
 * asking for some events and then for all records finds both, if each can be had (Mendelsohn and Dulmage, 1958).
 */
export class Matching {
  readonly #fits: (event: number, record: number) => boolean;
  readonly #records: number;
  /** Event paired with each record, and record with each event; -1 for none. */
  readonly #eventOf: number[];
  readonly #recordOf: number[];

  /** @param fits whether an event may have left a record. */
  constructor(events: number, records: number, fits: (event: number, record: number) => boolean) {
    this.#fits = fits;
    this.#records = records;
    this.#eventOf = Array.from({ length: records }, () => -1);
    this.#recordOf = Array.from({ length: events }, () => -1);
  }

  /** The record of an event; -1 if it has none. */
  recordOf(event: number): number {
    return this.#recordOf[event] as number;
  }

  /** Finds a record for an event; false if there is none. */
  pairEvent(event: number): boolean {
    return this.recordOf(event) !== -1 || this.#fromEvent(event, new Set());
  }

  /** Finds an event for a record; false if there is none. */
  pairRecord(record: number): boolean {
    return this.#eventOf[record] !== -1 || this.#fromRecord(record, new Set());
  }

  #fromEvent(event: number, visited: Set<number>): boolean {
    for (let record = 0; record < this.#records; record++) {
      if (visited.has(record) || !this.#fits(event, record)) continue;
      visited.add(record);
      const other = this.#eventOf[record] as number;
      if (other === -1 || this.#fromEvent(other, visited)) {
        this.#pair(event, record);
        return true;
      }
    }
    return false;
  }

  #fromRecord(record: number, visited: Set<number>): boolean {
    for (let event = 0; event < this.#recordOf.length; event++) {
      if (visited.has(event) || !this.#fits(event, record)) continue;
      visited.add(event);
      const other = this.recordOf(event);
      if (other === -1 || this.#fromRecord(other, visited)) {
        this.#pair(event, record);
        return true;
      }
    }
    return false;
  }

  #pair(event: number, record: number): void {
    this.#eventOf[record] = event;
    this.#recordOf[event] = record;
  }
}
