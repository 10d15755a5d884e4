/**
 * Indices of a queue of 2^`log2` entries: the number of an entry, and above it the wrap bit, which tells a full queue from
 * an empty one (IHI 0070 §3.5.1).
 */
export class QueueIndex {
  readonly entries: number;
  readonly #mask: number;

  /** @param log2 log2 of the number of entries. */
  constructor(log2: number) {
    this.entries = 2 ** log2;
    this.#mask = 2 * this.entries - 1;
  }

  /** Number of the entry (`Q_IDX`). */
  entry(index: number): number {
    return index & (this.entries - 1);
  }

  /** The wrap bit, 0 or 1 (`Q_WRP`). */
  wrap(index: number): number {
    return (index & this.entries) === 0 ? 0 : 1;
  }

  /** The index `count` entries on (`queue_inc_prod_n`). */
  add(index: number, count: number): number {
    return (index + count) & this.#mask;
  }

  /** Entries from one index to another, going forward. */
  distance(from: number, to: number): number {
    return (to - from) & this.#mask;
  }

  /** Whether `count` more entries fit (`queue_has_space`). */
  hasSpace(prod: number, cons: number, count: number): boolean {
    const [at, done] = [this.entry(prod), this.entry(cons)];
    const space = this.wrap(prod) === this.wrap(cons) ? this.entries - (at - done) : done - at;
    return space >= count;
  }

  /** Whether there is no room at all (`queue_full`). */
  isFull(prod: number, cons: number): boolean {
    return this.entry(prod) === this.entry(cons) && this.wrap(prod) !== this.wrap(cons);
  }

  /** Whether the entry at `index` lies behind `cons`, if that has not gone round twice (`queue_consumed`). */
  isConsumed(cons: number, index: number): boolean {
    const [done, at] = [this.entry(cons), this.entry(index)];
    return this.wrap(cons) === this.wrap(index) ? done > at : done <= at;
  }
}

/** Who inserts while the flag is set leaves it to its setter to move CMDQ_PROD (`CMDQ_PROD_OWNED_FLAG`). */
export const OWNED = 1 << 12;
const CONS_SHIFT = 16;

/** PROD with its flag and the shadow of CONS, as they are read and exchanged at once (`struct arm_smmu_ll_queue`). */
export function pack(prod: number, cons: number): number {
  return prod | (cons << CONS_SHIFT);
}

/** PROD without its flag. */
export function prodOf(llq: number): number {
  return llq & (OWNED - 1);
}

/** The flag of PROD. */
export function isOwned(llq: number): boolean {
  return (llq & OWNED) !== 0;
}

/** The shadow of CONS. */
export function consOf(llq: number): number {
  return llq >>> CONS_SHIFT;
}

/** Both in words, for a report. */
export function showLlq(llq: number): string {
  return `prod ${prodOf(llq)}${isOwned(llq) ? ' (owned)' : ''}, cons ${consOf(llq)}`;
}
