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
}
