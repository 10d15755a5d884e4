/** What `PathCounts.of` answers for a state that is not in it, and for one of the path at hand. */
export const UNKNOWN = -1;
export const ON_PATH = -2;

/** Numbers by 64-bit fingerprints: open addressing, grown at two thirds load. */
export class PathCounts {
  /** Number of fingerprints. */
  size = 0;
  #lanes = new Int32Array(1 << 13);
  #counts = new Float64Array(1 << 12);

  /** The number for a fingerprint, or `UNKNOWN`. */
  of(low: number, high: number): number {
    const slot = this.#slot(low, high);
    return this.#isFree(slot) ? UNKNOWN : (this.#counts[slot] as number);
  }

  /** Sets the number for a fingerprint. */
  set(low: number, high: number, count: number): void {
    const slot = this.#slot(low, high);
    this.#counts[slot] = count;
    if (!this.#isFree(slot)) return;
    this.#lanes[slot * 2] = low;
    this.#lanes[slot * 2 + 1] = laneOf(low, high);
    if (++this.size * 3 > this.#counts.length * 2) this.#grow();
  }

  #isFree(slot: number): boolean {
    return this.#lanes[slot * 2] === 0 && this.#lanes[slot * 2 + 1] === 0;
  }

  /** The slot of a fingerprint, or the free one where it would stand. */
  #slot(low: number, high: number): number {
    const lanes = this.#lanes;
    const mask = this.#counts.length - 1;
    const lane = laneOf(low, high);
    let slot = (low ^ Math.imul(lane, 0x9e3779b1)) & mask;
    while (!this.#isFree(slot) && (lanes[slot * 2] !== (low | 0) || lanes[slot * 2 + 1] !== lane))
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const lanes = this.#lanes;
    const counts = this.#counts;
    this.#lanes = new Int32Array(lanes.length * 2);
    this.#counts = new Float64Array(counts.length * 2);
    this.size = 0;
    for (let slot = 0; slot < counts.length; slot++) {
      const low = lanes[slot * 2] as number;
      const high = lanes[slot * 2 + 1] as number;
      if (low !== 0 || high !== 0) this.set(low, high, counts[slot] as number);
    }
  }
}

/** (0, 0) marks a free slot, so that fingerprint is kept as (0, 1). */
function laneOf(low: number, high: number): number {
  return low === 0 && high === 0 ? 1 : high | 0;
}
