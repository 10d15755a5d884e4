import type { TlbInvalidation } from '../commands/invalidation.ts';

/** A leaf entry that a TLB invalidation covers. */
export interface CoveredEntry {
  readonly vmid: number;
  /** -1 for an entry of stage 2, and for a global one. */
  readonly asid: number;
  /** CD.ASET of the configuration that made it; 0 for stage 2. */
  readonly aset: number;
  /** 1 and 2 for what one stage alone has made; combined from input to physical address. */
  readonly stage: 1 | 2 | 'combined';
  /** Number of its first page of 4 KiB: of the input address, or of the IPA if the stage is 2. */
  readonly page: number;
  /** A walk from the configuration in use makes it of what memory says now: it goes in vain. */
  readonly valid: boolean;
  /**
   * It has to go. Else hardware may drop it and need not: a broadcast by ASID of an entry made under CD.ASET = 1 (IHI 0070
   * §3.17), or any broadcast that CR2.PTM = 1 permits to ignore (§6.3.12). Such an entry is told of with each broadcast.
   */
  readonly required: boolean;
}

/** What covers an entry. */
export interface InvalidationCause {
  readonly by: 'broadcast' | 'command';
  readonly command: TlbInvalidation;
  /** The CPU that executed the TLBI, where the bus tells. */
  readonly cpu?: number;
}

/**
 * Told of each leaf entry that a broadcast or a CMD_TLBI_* covers, in the step in which it is executed or begun: entries
 * that are held and that nothing dooms yet, so that each loss has one cause.
 */
export type InvalidationListener = (entry: CoveredEntry, cause: InvalidationCause) => void;
