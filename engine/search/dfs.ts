import type { Node } from '../automaton.ts';
import { Frame } from './frame.ts';
import type { SearchOptions, SearchResult } from './search.ts';
import type { System } from '../system.ts';

/** Steps of the current path: who ran, from where, what is left to try. Typed arrays, grown as the path grows. */
class Path {
  agent = new Int32Array(256);
  /** Next agent to try at this depth. */
  next = new Int32Array(256);
  mark = new Int32Array(256);
  low = new Int32Array(256);
  high = new Int32Array(256);
  previous = new Int32Array(256);
  switches = new Int32Array(256);
  /** 1 if some agent could run here. */
  alive = new Uint8Array(256);
  readonly node: Node[] = [];

  grow(): void {
    const wider = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.agent = wider(this.agent);
    this.next = wider(this.next);
    this.mark = wider(this.mark);
    this.low = wider(this.low);
    this.high = wider(this.high);
    this.previous = wider(this.previous);
    this.switches = wider(this.switches);
    const alive = new Uint8Array(this.alive.length * 2);
    alive.set(this.alive);
    this.alive = alive;
  }
}

/** Depth first with undo: a step back costs what the step wrote. */
export function depthFirst(system: System, options: SearchOptions): SearchResult {
  const frame = new Frame(system, options);
  try {
    return new DepthFirst(frame, new Path(), options).explore();
  } finally {
    frame.restore();
  }
}

class DepthFirst {
  readonly #frame: Frame;
  readonly #path: Path;
  readonly #options: SearchOptions;
  #depth = 0;

  constructor(frame: Frame, path: Path, options: SearchOptions) {
    this.#frame = frame;
    this.#path = path;
    this.#options = options;
  }

  explore(): SearchResult {
    const frame = this.#frame;
    const path = this.#path;
    const { machine } = frame.system;
    const agents = frame.nodes.length;
    path.next[0] = 0;
    path.previous[0] = -1;
    path.switches[0] = 0;
    path.alive[0] = 0;
    let budget = 0;
    for (;;) {
      const depth = this.#depth;
      const agent = this.#nextAgent(depth, agents);
      if (agent < 0) {
        if (path.alive[depth] === 0) {
          frame.atEnd();
          if (machine.failure !== undefined && frame.endsSearch(this.#options)) return this.#violation(depth);
        }
        if (depth === 0) return this.#result('exhausted');
        this.#stepBack();
        continue;
      }
      path.alive[depth] = 1;
      this.#stepForward(depth, agent);
      if (machine.failure !== undefined) {
        if (frame.endsSearch(this.#options)) return this.#violation(depth + 1);
        if (this.#options.countFailures !== true) {
          this.#stepBack();
          continue;
        }
      }
      if (!frame.visit(agent, path.switches[depth + 1] as number)) {
        this.#stepBack();
        continue;
      }
      if (frame.visited.size >= frame.statesMax) return this.#result('bound', 'states');
      if (depth + 1 >= frame.stepsMax) return this.#result('bound', 'steps');
      if ((++budget & 0xfff) === 0 && this.#options.stop?.() === true) return this.#result('bound', 'stopped');
    }
  }

  /** The next agent to try at this depth: enabled, and within the bound on switches; -1 if there is none. */
  #nextAgent(depth: number, agents: number): number {
    const frame = this.#frame;
    const path = this.#path;
    const { switchesMax } = frame;
    const previous = path.previous[depth] as number;
    for (let agent = path.next[depth] as number; agent < agents; agent++) {
      if (!frame.isEnabled(agent)) continue;
      let switches = path.switches[depth] as number;
      if (switchesMax >= 0 && previous >= 0 && agent !== previous && frame.isEnabled(previous)) {
        path.alive[depth] = 1;
        if (++switches > switchesMax) continue;
      }
      path.next[depth] = agent + 1;
      if (depth + 1 >= path.agent.length) path.grow();
      path.switches[depth + 1] = switches;
      return agent;
    }
    path.next[depth] = agents;
    return -1;
  }

  #stepForward(depth: number, agent: number): void {
    const frame = this.#frame;
    const path = this.#path;
    path.agent[depth] = agent;
    path.mark[depth] = frame.system.machine.store.logLength;
    path.node[depth] = frame.nodes[agent] as Node;
    path.low[depth] = frame.print.low;
    path.high[depth] = frame.print.high;
    frame.advance(agent);
    const below = depth + 1;
    path.next[below] = 0;
    path.previous[below] = agent;
    path.alive[below] = 0;
    this.#depth = below;
    if (below > frame.depth) frame.depth = below;
  }

  #stepBack(): void {
    const frame = this.#frame;
    const path = this.#path;
    const depth = --this.#depth;
    frame.system.machine.store.rollback(path.mark[depth] as number);
    frame.nodes[path.agent[depth] as number] = path.node[depth] as Node;
    frame.print.low = path.low[depth] as number;
    frame.print.high = path.high[depth] as number;
  }

  #violation(length: number): SearchResult {
    const failure = this.#frame.system.machine.failure;
    const schedule = [...this.#path.agent.subarray(0, length)];
    const result = this.#result('violation');
    return failure === undefined ? result : { ...result, failure, schedule };
  }

  #result(verdict: SearchResult['verdict'], bound?: SearchResult['bound']): SearchResult {
    const { visited, transitions, ends, depth, failures } = this.#frame;
    const counts = { verdict, states: visited.size, transitions, ends, depth, failures };
    return bound === undefined ? counts : { ...counts, bound };
  }
}
