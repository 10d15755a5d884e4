/** The states that a search has reached, by their fingerprints. */
export interface Seen {
  /** Number of states. */
  readonly size: number;
  /**
   * What only a set knows that several searchers share: which states are done, that is, from which all that can be reached has
   * been reached, by whoever it was. A depth-first search on its own needs no such memory: see `DepthFirst`.
   */
  readonly ends?: Ends;
  /**
   * Visits a state.
   *
   * @returns -1 for a new state, 0 for a known one; with `ends`, 1 for a known one that may not be done.
   */
  visit(low: number, high: number): number;
  /** True if nothing more can be added: the search ends at its bound. */
  readonly isFull?: boolean;
  /** For a set that may take a new state for a known one: what that means for the search so far. */
  omissions?(): Omissions;
}

/** Which states are done. */
export interface Ends {
  /** Notes that a state is done. To be called by the searcher to which it was new. */
  finish(low: number, high: number): void;
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
