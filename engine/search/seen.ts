/** The states that a search has reached, by their fingerprints. */
export interface Seen {
  /** Number of states. */
  readonly size: number;
  /** True for a set in which other threads mark states too. */
  readonly isShared?: boolean;
  /** Visits a state: true if it is new. */
  visit(low: number, high: number): boolean;
  /** True if nothing more can be added: the search ends at its bound. */
  readonly isFull?: boolean;
  /** For a set that may take a new state for a known one: what that means for the search so far. */
  omissions?(): Omissions;
}

/** What a search may have missed because its set of states takes some states for others. */
export interface Omissions {
  /** States expected to be taken for others wrongly; what can be reached only through them is missed, too. */
  readonly expected: number;
  /** Probability that there is any. */
  readonly probability: number;
  /** Bits of memory for each state found (for `bitstate`: Holzmann's hash factor, which should be 100 or more). */
  readonly bitsPerState: number;
}
