import { Automaton, type Node } from '../automaton.ts';
import { Footprints } from '../footprint.ts';
import { isMemoised, memoOf, type StepMemo } from '../memo.ts';
import { diagnoseStuck } from '../stuck.ts';
import type { System } from '../system.ts';
import { BitstateVisited } from './bitstate.ts';
import { CompactVisited } from './compact.ts';
import { Fingerprint } from './fingerprint.ts';
import type { SearchOptions, SearchResult } from './options.ts';
import { Orbit, placeHigh, placeLow } from './orbit.ts';
import type { Seen } from './seen.ts';
import { ExactSleepers, RoughSleepers, type Sleepers } from './sleep.ts';
import { Visited } from './visited.ts';

/** True if steps are to be left out by sleep sets. */
function reduces(system: System, { order, reduction, switchesMax }: SearchOptions): boolean {
  const possible = order === 'dfs' && switchesMax === undefined && system.symmetry === undefined;
  if (reduction === 'sleep' && !possible)
    throw new RangeError('sleep sets need depth-first order, no bound on switches and no symmetry');
  return possible && (reduction ?? (isMemoised(system) ? 'none' : 'sleep')) === 'sleep';
}

/** The set of states that is asked for. */
function seenFor(system: System, options: SearchOptions): Seen {
  const { visited, memoryMb = 256 } = options;
  if (!(memoryMb >= 1 && memoryMb <= 4096)) throw new RangeError('memoryMb must be 1 … 4096');
  if (visited === 'compact') return new CompactVisited(memoryMb);
  return visited === 'bitstate' ? new BitstateVisited(memoryMb) : new Visited(undefined, !reduces(system, options));
}

/** What breadth-first and depth-first search share: the current state, the step to the next one, the bookkeeping. */
export class Frame {
  readonly system: System;
  readonly automaton: Automaton;
  /** Local state of each agent in the current state. */
  readonly nodes: Node[];
  /** Fingerprint of the current state, without the switch bound's part. */
  readonly print = new Fingerprint();
  readonly visited: Seen;
  readonly root: number;
  readonly switchesMax: number;
  readonly statesMax: number;
  readonly stepsMax: number;
  /** Which agents sleep on after a step; undefined: none ever sleeps. */
  readonly sleepers: Sleepers | undefined;
  /** The states that count as the current one; undefined: only itself. */
  readonly orbit: Orbit | undefined;
  readonly #memo: StepMemo | undefined;
  transitions = 0;
  ends = 0;
  depth = 0;
  failures = 0;

  constructor(system: System, options: SearchOptions, seen: Seen = seenFor(system, options)) {
    this.visited = seen;
    this.system = system;
    this.automaton = new Automaton(system.agents);
    this.nodes = system.agents.map((_, agent) => this.automaton.start(agent));
    this.root = system.machine.store.mark();
    this.switchesMax = options.switchesMax ?? -1;
    const { store } = system.machine;
    const footprints = reduces(system, options) ? new Footprints() : undefined;
    this.#memo = memoOf(system, this.automaton, footprints);
    if (footprints !== undefined)
      this.sleepers =
        this.#memo === undefined ? new RoughSleepers(store) : new ExactSleepers(store, this.#memo, footprints);
    this.statesMax = options.statesMax ?? 50_000_000;
    this.stepsMax = options.stepsMax ?? 100_000;
    for (const node of this.nodes) this.print.toggleNode(node);
    this.orbit = system.symmetry === undefined ? undefined : new Orbit(system, system.symmetry, this.nodes);
    this.visit(-1, 0);
  }

  /** True if an agent can run in the current state. */
  isEnabled(agent: number): boolean {
    const node = this.nodes[agent] as Node;
    if (node.step === undefined) return false;
    return node.wait === undefined || node.wait.ready();
  }

  /** Runs one step of an agent and brings nodes and fingerprint up to date. */
  advance(agent: number): Node {
    const { system, nodes, print } = this;
    const { machine } = system;
    const node = nodes[agent] as Node;
    const mark = machine.store.logLength;
    machine.current = agent;
    const memo = this.#memo;
    let next: Node;
    if (memo === undefined) {
      next = this.automaton.next(node, node.run());
      if (system.check !== undefined) system.check();
      print.absorbWrites(machine.store, mark);
    } else {
      next = memo.step(node);
      print.low ^= memo.low;
      print.high ^= memo.high;
    }
    nodes[agent] = next;
    print.low ^= node.low ^ next.low;
    print.high ^= node.high ^ next.high;
    this.transitions++;
    this.orbit?.absorb(mark);
    return next;
  }

  /**
   * Marks the current state as seen, and returns whether it is new. With a switch bound, what is left of it belongs to the
   * state.
   */
  visit(previous: number, switches: number): boolean {
    const { print, orbit, visited } = this;
    const used = this.switchesMax < 0 ? -1 : switches;
    if (orbit !== undefined) {
      orbit.choose(print, this.nodes, previous, used);
      return visited.visit(orbit.low, orbit.high);
    }
    if (used < 0) return visited.visit(print.low, print.high);
    return visited.visit(print.low ^ placeLow(previous, used), print.high ^ placeHigh(previous, used));
  }

  /** True if the failure at hand is one that ends the search; else it is cleared. */
  endsSearch({ wanted, countFailures }: SearchOptions): boolean {
    const { machine } = this.system;
    const failure = machine.failure;
    if (failure !== undefined && (wanted === undefined || wanted(failure))) {
      this.failures++;
      if (countFailures !== true) return true;
    }
    machine.failure = undefined;
    return false;
  }

  /** Goes to the first state. */
  goToRoot(): void {
    const { nodes, print, automaton } = this;
    this.system.machine.store.rollback(this.root);
    print.low = 0;
    print.high = 0;
    for (let agent = 0; agent < nodes.length; agent++) {
      nodes[agent] = automaton.start(agent);
      print.toggleNode(nodes[agent] as Node);
    }
  }

  /** True if no more states are to be found, by the bound or for lack of memory. */
  isFull(): boolean {
    return this.visited.size >= this.statesMax || this.visited.isFull === true;
  }

  /** What was counted, with what ended the search. A set that may omit states has not exhausted anything. */
  result(verdict: SearchResult['verdict'], bound?: SearchResult['bound']): SearchResult {
    const { visited, transitions, ends, depth, failures } = this;
    const counts = { verdict, states: visited.size, transitions, ends, depth, failures };
    const omissions = visited.omissions?.();
    if (omissions === undefined) return bound === undefined ? counts : { ...counts, bound };
    if (verdict === 'exhausted') return { ...counts, verdict: 'bound', bound: 'memory', omissions };
    return bound === undefined ? { ...counts, omissions } : { ...counts, bound, omissions };
  }

  /** Leaves the system as it was before the search. */
  restore(): void {
    this.system.machine.store.rollback(this.root);
    this.system.machine.current = -1;
  }

  /** The current state has nothing to run: deadlock, leak, or a proper end. */
  atEnd(): void {
    this.ends++;
    const { machine, agents, quiescent } = this.system;
    machine.current = -1;
    const stuck = diagnoseStuck(machine, this.nodes, (agent) => agents[agent]?.daemon ?? false);
    if (stuck !== undefined) machine.fail(stuck);
    else quiescent?.();
  }
}
