import type { Node } from '../automaton.ts';
import { Frame } from './frame.ts';
import type { SearchOptions, SearchResult } from './options.ts';
import type { System } from '../system.ts';

/** Words of an entry of the path. */
const ENTRY = 8;
/** The agent whose step led to this state (-1 at the root), and context switches so far. */
const PREVIOUS = 0;
const SWITCHES = 1;
/** The next agent to try, and 1 if some agent could run. */
const NEXT = 2;
const ALIVE = 3;
/** The state itself: undo mark and fingerprint. */
const MARK = 4;
const LOW = 5;
const HIGH = 6;

/** Depth first with undo: a step back costs what the step wrote. */
export function depthFirst(system: System, options: SearchOptions): SearchResult {
  const frame = new Frame(system, options);
  try {
    return new DepthFirst(frame, options).explore();
  } finally {
    frame.restore();
  }
}

class DepthFirst {
  readonly #frame: Frame;
  readonly #options: SearchOptions;
  /** The states of the current path, root first. */
  #path = new Int32Array(256 * ENTRY);
  /** For each of them, the node that its agent `PREVIOUS` came from. */
  readonly #left: Node[] = [];
  /** Context switches up to the step at hand. */
  #switches = 0;
  #budget = 0;

  constructor(frame: Frame, options: SearchOptions) {
    this.#frame = frame;
    this.#options = options;
  }

  explore(): SearchResult {
    const frame = this.#frame;
    const { nodes } = frame;
    const { machine } = frame.system;
    let depth = 0;
    this.#enter(0, -1, nodes[0] as Node);
    for (;;) {
      const agent = this.#nextAgent(depth * ENTRY);
      if (agent >= 0) {
        const node = nodes[agent] as Node;
        frame.advance(agent);
        let explored = true;
        if (machine.failure !== undefined) {
          if (frame.endsSearch(this.#options)) return this.#violation(depth, agent);
          explored = this.#options.countFailures === true;
        }
        if (explored && frame.visit(agent, this.#switches)) {
          this.#enter(++depth, agent, node);
          const bound = this.#boundAt(depth);
          if (bound !== undefined) return this.#result('bound', bound);
        } else this.#backTo(depth * ENTRY, agent, node);
      } else {
        const at = depth * ENTRY;
        if (this.#path[at + ALIVE] === 0) {
          frame.atEnd();
          if (machine.failure !== undefined && frame.endsSearch(this.#options)) return this.#violation(depth, -1);
        }
        if (depth === 0) return this.#result('exhausted');
        this.#backTo(--depth * ENTRY, this.#path[at + PREVIOUS] as number, this.#left[depth + 1] as Node);
      }
    }
  }

  /** The bound that is hit on entering a state at this depth, if any. */
  #boundAt(depth: number): SearchResult['bound'] {
    const frame = this.#frame;
    if (frame.visited.size >= frame.statesMax) return 'states';
    if (depth >= frame.stepsMax) return 'steps';
    return (++this.#budget & 0xfff) === 0 && this.#options.stop?.() === true ? 'stopped' : undefined;
  }

  /** The next agent to try: enabled, and within the bound on switches; -1 if there is none. */
  #nextAgent(at: number): number {
    const frame = this.#frame;
    const path = this.#path;
    const agents = frame.nodes.length;
    for (let agent = path[at + NEXT] as number; agent < agents; agent++) {
      if (!frame.isEnabled(agent)) continue;
      path[at + ALIVE] = 1;
      if (frame.switchesMax >= 0 && !this.#mayRun(at, agent)) continue;
      path[at + NEXT] = agent + 1;
      return agent;
    }
    return -1;
  }

  /** True if the step of an agent stays within the bound on switches; `#switches` is then their number. */
  #mayRun(at: number, agent: number): boolean {
    const frame = this.#frame;
    const previous = this.#path[at + PREVIOUS] as number;
    const isSwitch = previous >= 0 && agent !== previous && frame.isEnabled(previous);
    this.#switches = (this.#path[at + SWITCHES] as number) + (isSwitch ? 1 : 0);
    return this.#switches <= frame.switchesMax;
  }

  /** Puts the current state at the end of the path. */
  #enter(depth: number, previous: number, left: Node): void {
    const { print, system } = this.#frame;
    const at = depth * ENTRY;
    if (at === this.#path.length) {
      const longer = new Int32Array(at * 2);
      longer.set(this.#path);
      this.#path = longer;
    }
    const path = this.#path;
    path[at + PREVIOUS] = previous;
    path[at + SWITCHES] = this.#switches;
    path[at + NEXT] = 0;
    path[at + ALIVE] = 0;
    path[at + MARK] = system.machine.store.logLength;
    path[at + LOW] = print.low;
    path[at + HIGH] = print.high;
    this.#left[depth] = left;
    if (depth > this.#frame.depth) this.#frame.depth = depth;
  }

  /** Takes back a step of `agent`, which stood at `node`, to the state at `at`. */
  #backTo(at: number, agent: number, node: Node): void {
    const { print, system, nodes } = this.#frame;
    const path = this.#path;
    system.machine.store.rollback(path[at + MARK] as number);
    nodes[agent] = node;
    print.low = path[at + LOW] as number;
    print.high = path[at + HIGH] as number;
  }

  /** The path to the state at `depth`, and the step that failed there (-1: the state itself is wrong). */
  #violation(depth: number, last: number): SearchResult {
    const schedule: number[] = [];
    for (let at = 1; at <= depth; at++) schedule.push(this.#path[at * ENTRY + PREVIOUS] as number);
    if (last >= 0) schedule.push(last);
    const frame = this.#frame;
    frame.depth = Math.max(frame.depth, schedule.length);
    const failure = frame.system.machine.failure;
    const result = this.#result('violation');
    return failure === undefined ? result : { ...result, failure, schedule };
  }

  #result(verdict: SearchResult['verdict'], bound?: SearchResult['bound']): SearchResult {
    const { visited, transitions, ends, depth, failures } = this.#frame;
    const counts = { verdict, states: visited.size, transitions, ends, depth, failures };
    return bound === undefined ? counts : { ...counts, bound };
  }
}
