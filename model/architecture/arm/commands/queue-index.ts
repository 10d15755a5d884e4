/**
 * Indexes of a circular queue of 2^n entries: n bits, and above them a wrap bit that changes each time the index goes
 * round, so that a full queue differs from an empty one (IHI 0070 §3.5.1).
 */

/** Most bits of an index: the queues of this model are as large as the architecture has them (IDR1.CMDQS, EVENTQS). */
export const QUEUE_LOG2_MAX = 19;

/** log2 of the entries of a queue, from the LOG2SIZE field of its base register, which is capped (§6.3.26, §6.3.29). */
export function queueLog2(log2Size: number): number {
  return Math.min(log2Size, QUEUE_LOG2_MAX);
}

/** Mask of an index with its wrap bit. */
export function indexMask(log2: number): number {
  return (2 << log2) - 1;
}

/** Entries between the reader's index and the writer's, 0 to 2^log2; -1 if the indexes are inconsistent. */
export function entriesUsed(prod: number, cons: number, log2: number): number {
  const used = (prod - cons) & indexMask(log2);
  return used > 1 << log2 ? -1 : used;
}

/**
 * Whether two indexes can belong to one queue. Software must not write others: hardware may then stop, or read and write
 * anywhere in the queue (§3.5.1), so programs that are to be judged must not.
 */
export function consistentIndexes(prod: number, cons: number, log2: number): boolean {
  return entriesUsed(prod, cons, log2) >= 0;
}

/** The place in the queue that an index points at. */
export function slotOf(index: number, log2: number): number {
  return index & ((1 << log2) - 1);
}
