/**
 * Memory as the SMMU sees it: 64-bit words at addresses that are multiples of 8, each read single-copy atomically
 * (IHI 0070 §3.21.3). An address where nothing is present answers a fetch with an external abort.
 */
export interface PhysicalMemory {
  /** Low lane of the word at `pa`, signed. */
  low(pa: number): number;
  /** High lane of the word at `pa`, signed. */
  high(pa: number): number;
  /** False where a fetch is aborted. */
  present(pa: number): boolean;
}
