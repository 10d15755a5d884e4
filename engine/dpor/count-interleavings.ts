import type { Node } from '../automaton.ts';
import { Frame } from '../search/frame.ts';
import type { System } from '../system.ts';
import { ON_PATH, PathCounts, UNKNOWN } from './path-counts.ts';

/** How to count, and where to give up. */
export interface CountOptions {
  /** Go on past steps that fail; default: a step that fails ends its schedule. */
  readonly countFailures?: boolean;
  /** Most distinct states; default 5 million. */
  readonly statesMax?: number;
}

/** One state of the path at hand. */
interface Place {
  readonly low: number;
  readonly high: number;
  readonly mark: number;
  /** Next agent to try, how many paths were found through those before, and whether one of them could run. */
  agent: number;
  paths: number;
  alive: boolean;
  /** The node that the agent being tried has left. */
  left: Node | undefined;
}

/**
 * How many schedules a program has, from the first step to where nothing can run: what an enumeration would have to go
 * through. Counted as paths of the graph of states, each state once, so that it costs what a search costs.
 *
 * @returns a float (exact below 2⁵³); Infinity if a schedule can go on for ever (a loop that forgets); undefined if the
 *   bound on states was reached. The store is as before.
 */
export function countInterleavings(system: System, options: CountOptions = {}): number | undefined {
  system.machine.agents = system.agents;
  system.machine.failure = undefined;
  const frame = new Frame(system, { order: 'dfs', reduction: 'none' });
  try {
    return new Counter(frame, options).count();
  } finally {
    frame.restore();
  }
}

class Counter {
  readonly #frame: Frame;
  readonly #counts = new PathCounts();
  readonly #path: Place[] = [];
  readonly #past: boolean;
  readonly #statesMax: number;

  constructor(frame: Frame, options: CountOptions) {
    this.#frame = frame;
    this.#past = options.countFailures === true;
    this.#statesMax = options.statesMax ?? 5_000_000;
  }

  count(): number | undefined {
    this.#enter();
    for (;;) {
      const place = this.#path.at(-1) as Place;
      if (place.agent < this.#frame.nodes.length) {
        const paths = this.#try(place, place.agent++);
        if (paths === ON_PATH) return Infinity;
        if (paths === UNKNOWN) this.#enter();
        else place.paths += paths;
        if (this.#counts.size > this.#statesMax) return undefined;
        continue;
      }
      this.#path.pop();
      const total = place.alive ? place.paths : 1;
      this.#counts.set(place.low, place.high, total);
      const outer = this.#path.at(-1);
      if (outer === undefined) return total;
      outer.paths += total;
      this.#backTo(outer, outer.agent - 1);
    }
  }

  /** Runs one step: the number of paths through it if that is known, and then takes it back; else `UNKNOWN` or `ON_PATH`. */
  #try(place: Place, agent: number): number {
    const frame = this.#frame;
    const { machine } = frame.system;
    if (!frame.isEnabled(agent)) return 0;
    place.alive = true;
    place.left = frame.nodes[agent] as Node;
    frame.advance(agent);
    const failed = machine.failure !== undefined;
    machine.failure = undefined;
    const paths = failed && !this.#past ? 1 : this.#counts.of(frame.print.low, frame.print.high);
    if (paths !== UNKNOWN) this.#backTo(place, agent);
    return paths;
  }

  /** Puts the current state at the end of the path. */
  #enter(): void {
    const { low, high } = this.#frame.print;
    const mark = this.#frame.system.machine.store.mark();
    this.#path.push({ low, high, mark, agent: 0, paths: 0, alive: false, left: undefined });
    this.#counts.set(low, high, ON_PATH);
  }

  #backTo(place: Place, agent: number): void {
    const { print, nodes, system } = this.#frame;
    system.machine.store.rollback(place.mark);
    nodes[agent] = place.left as Node;
    print.low = place.low;
    print.high = place.high;
  }
}
