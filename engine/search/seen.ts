/** The states that a search has reached, by their fingerprints. */
export interface Seen {
  /** Number of states. */
  readonly size: number;
  /**
   * True if the set keeps with each state the agents that slept at every visit, and gives back those to be made up for: then
   * states may be reached in any order, by several searchers at once (P. Godefroid, G. Holzmann, D. Pirottin, "State-space
   * caching revisited", 1992). A depth-first search on its own needs no such memory: see `DepthFirst`.
   */
  readonly keepsSleep: boolean;
  /** If `keepsSleep`: the agents that have slept at every visit to the state visited last, a bit each. */
  readonly asleep: number;
  /**
   * Visits a state at which the agents of `asleep` sleep (a bit each).
   *
   * @returns the agents to be explored from there: -1 (all that do not sleep) for a new state, 0 for nothing.
   */
  visit(low: number, high: number, asleep: number): number;
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
