import type { Node } from '../automaton.ts';
import type { System } from '../system.ts';
import { Frame } from './frame.ts';
import type { SearchOptions, SearchResult } from './options.ts';

/** Words of an entry before the agents' nodes: state, fingerprint, previous agent, switches, number of changed cells. */
const HEADER = 6;

/**
 * The states of one level of the search. A state is kept as its difference to the root: the cells that differ, and the
 * agents' nodes; so going to it is a rollback and a few writes, however large the world is.
 */
class Level {
  words = new Int32Array(1 << 12);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.words.length) return;
    const grown = new Int32Array(Math.max(this.words.length * 2, this.length + more));
    grown.set(this.words);
    this.words = grown;
  }
}

/** Breadth first: the first counterexample is a shortest one. */
export function breadthFirst(system: System, options: SearchOptions): SearchResult {
  const frame = new Frame(system, options);
  try {
    return new BreadthFirst(frame, options).explore();
  } finally {
    frame.restore();
  }
}

class BreadthFirst {
  readonly root: number;
  readonly #frame: Frame;
  readonly #options: SearchOptions;
  /** Words of an entry before the changed cells; behind the nodes is what `Orbit` saves. */
  readonly #fixed: number;
  /** For each state: the state it was first reached from, and by whose step. */
  #parent = new Int32Array(1 << 12);
  #by = new Uint8Array(1 << 12);
  /** Cells already seen in the log at hand: stamp of the pass. */
  #seen: Int32Array;
  #pass = 0;
  #current = new Level();
  #next = new Level();
  #budget = 0;

  constructor(frame: Frame, options: SearchOptions) {
    this.#frame = frame;
    this.#options = options;
    this.root = frame.root;
    this.#fixed = HEADER + frame.nodes.length + (frame.orbit?.width ?? 0);
    this.#seen = new Int32Array(frame.system.machine.store.size);
  }

  explore(): SearchResult {
    const frame = this.#frame;
    this.#save(0, -1, 0);
    while (this.#next.length > 0) {
      [this.#current, this.#next] = [this.#next, this.#current];
      this.#next.length = 0;
      if (frame.depth >= frame.stepsMax) return frame.result('bound', 'steps');
      for (let at = 0; at < this.#current.length; at = this.#after(at)) {
        const end = this.#expand(at);
        if (end === undefined) continue;
        const byStep = end.schedule !== undefined && end.schedule.length > frame.depth;
        return (byStep ? this.#failingEnd(this.#after(at)) : undefined) ?? end;
      }
      if (this.#next.length > 0) frame.depth++;
    }
    return frame.result('exhausted');
  }

  /** All steps from one state; a result if the search ends here. */
  #expand(at: number): SearchResult | undefined {
    const frame = this.#frame;
    const { machine } = frame.system;
    const words = this.#current.words;
    const state = words[at] as number;
    const previous = words[at + 3] as number;
    const switches = words[at + 4] as number;
    const mark = this.#load(at);
    const low = frame.print.low;
    const high = frame.print.high;
    const couldContinue = frame.switchesMax >= 0 && previous >= 0 && frame.isEnabled(previous);
    let alive = couldContinue;
    for (let agent = 0; agent < frame.nodes.length; agent++) {
      if (!frame.isEnabled(agent)) continue;
      alive = true;
      const used = couldContinue && agent !== previous ? switches + 1 : switches;
      if (frame.switchesMax >= 0 && used > frame.switchesMax) continue;
      const node = frame.nodes[agent] as Node;
      frame.advance(agent);
      let explored = true;
      if (machine.failure !== undefined) {
        if (frame.endsSearch(this.#options)) return this.#violation(state, agent);
        explored = this.#options.countFailures === true;
      }
      if (explored && frame.visit(agent, used)) {
        this.#remember(frame.visited.size - 1, state, agent);
        this.#save(frame.visited.size - 1, agent, used);
        if (frame.isFull()) return frame.result('bound', 'states');
        const { size } = frame.visited;
        if ((++this.#budget & 0xfff) === 0 && this.#options.stop?.(size) === true)
          return frame.result('bound', 'stopped');
      }
      machine.store.rollback(mark);
      frame.nodes[agent] = node;
      frame.print.low = low;
      frame.print.high = high;
    }
    if (alive) return undefined;
    frame.atEnd();
    return machine.failure !== undefined && frame.endsSearch(this.#options) ? this.#violation(state, -1) : undefined;
  }

  /** Where the entry after the one at `at` begins in the current level. */
  #after(at: number): number {
    return at + this.#fixed + 2 * (this.#current.words[at + 5] as number);
  }

  /**
   * A step that fails makes a counterexample one longer than a state of the same level in which nothing can run and that
   * is wrong (a deadlock, a leak): looks for such an end among the states that have not been expanded yet.
   */
  #failingEnd(from: number): SearchResult | undefined {
    const frame = this.#frame;
    const { machine } = frame.system;
    machine.failure = undefined;
    frame.failures = 0;
    for (let at = from; at < this.#current.length; at = this.#after(at)) {
      this.#load(at);
      if (frame.nodes.some((_, agent) => frame.isEnabled(agent))) continue;
      frame.atEnd();
      if (machine.failure !== undefined && frame.endsSearch(this.#options))
        return this.#violation(this.#current.words[at] as number, -1);
    }
    frame.failures = 1;
    return undefined;
  }

  /** Goes to a saved state; returns the undo mark there. */
  #load(at: number): number {
    const frame = this.#frame;
    const { store } = frame.system.machine;
    const words = this.#current.words;
    store.rollback(this.root);
    const agents = frame.nodes.length;
    for (let agent = 0; agent < agents; agent++)
      frame.nodes[agent] = frame.automaton.nodes[words[at + HEADER + agent] as number] as Node;
    let pair = at + this.#fixed;
    for (let left = words[at + 5] as number; left > 0; left--, pair += 2)
      store.set(words[pair] as number, words[pair + 1] as number);
    frame.print.low = words[at + 1] as number;
    frame.print.high = words[at + 2] as number;
    frame.orbit?.load(words, at + HEADER + agents);
    return store.mark();
  }

  /** Saves the current state into the next level. */
  #save(state: number, previous: number, switches: number): void {
    const frame = this.#frame;
    const { store } = frame.system.machine;
    const agents = frame.nodes.length;
    const level = this.#next;
    const changedMost = store.logLength - this.root;
    level.reserve(this.#fixed + 2 * changedMost);
    const words = level.words;
    const at = level.length;
    words[at] = state;
    words[at + 1] = frame.print.low;
    words[at + 2] = frame.print.high;
    words[at + 3] = previous;
    words[at + 4] = switches;
    for (let agent = 0; agent < agents; agent++) words[at + HEADER + agent] = (frame.nodes[agent] as Node).id;
    frame.orbit?.save(words, at + HEADER + agents);
    const pass = ++this.#pass;
    let pair = at + this.#fixed;
    for (let entry = this.root; entry < store.logLength; entry++) {
      const cell = store.logCell[entry] as number;
      if (this.#seen[cell] === pass) continue;
      this.#seen[cell] = pass;
      const value = store.cells[cell] as number;
      if (value === store.logOld[entry]) continue;
      words[pair] = cell;
      words[pair + 1] = value;
      pair += 2;
    }
    words[at + 5] = (pair - at - this.#fixed) / 2;
    level.length = pair;
  }

  #remember(state: number, parent: number, agent: number): void {
    if (state >= this.#parent.length) {
      const parents = new Int32Array(this.#parent.length * 2);
      parents.set(this.#parent);
      this.#parent = parents;
      const by = new Uint8Array(this.#by.length * 2);
      by.set(this.#by);
      this.#by = by;
    }
    this.#parent[state] = parent;
    this.#by[state] = agent;
  }

  #violation(state: number, last: number): SearchResult {
    const schedule: number[] = last < 0 ? [] : [last];
    for (let at = state; at !== 0; at = this.#parent[at] as number) schedule.push(this.#by[at] as number);
    const failure = this.#frame.system.machine.failure;
    const result = this.#frame.result('violation');
    return failure === undefined ? result : { ...result, failure, schedule: schedule.toReversed() };
  }
}
