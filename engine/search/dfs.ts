import type { Node } from '../automaton.ts';
import { Frame } from './frame.ts';
import type { SearchOptions, SearchResult } from './options.ts';
import type { Sleepers } from './sleep.ts';
import { EVERYTHING, type Branches, type Unit } from './unit.ts';
import type { System } from '../system.ts';

/** Words of an entry of the path. */
const ENTRY = 8;
/** The agent whose step led to this state (-1 at the root), and context switches so far. */
const PREVIOUS = 0;
const SWITCHES = 1;
/** Agents still to be tried, a bit each. */
const TODO = 2;
/** Agents asleep: `Sleepers`. */
const ASLEEP = 3;
/** 1 if some agent could run. */
const ALIVE = 4;
/** The state itself: undo mark and fingerprint. */
const MARK = 5;
const LOW = 6;
const HIGH = 7;

/** Deeper than any state of a path. */
const NOWHERE = 1 << 26;

/** Depth first with undo: a step back costs what the step wrote. */
export function depthFirst(system: System, options: SearchOptions): SearchResult {
  const frame = new Frame(system, options);
  try {
    return new DepthFirst(frame, options).explore();
  } finally {
    frame.restore();
  }
}

/**
 * The search itself. With sleep sets the agents with the highest numbers go first at each state: worlds name threads before
 * devices and daemons, and agents that meet few others are best explored first (a quarter fewer steps in the canonical
 * workload).
 *
 * Why all states are reached although agents sleep: call a state done when the search has left it. Whenever no state of the
 * path has been met again since it was entered (`#open`), every step from a done state leads to a done state. For a step
 * that was made, what it led to was new and left since, or done, or on the path, which is excluded. For a step of an agent
 * that slept: it was made from a state s further up the path, and led to a state t, at a moment when nothing was open and t
 * was done; the steps from s on commute with it, so they lead from t to the state in question, through done states. So an
 * agent is put to sleep only if nothing is open when its step has been explored. At the end the path is empty, and all
 * reachable states are done.
 *
 * Searches that share a set of states (`Seen.isShared`) cannot know what the others are done with, so they go by the agents'
 * numbers instead: from a state s, an agent sleeps behind a step of an agent with a lower number only. No state is missed
 * then, whatever the order in which states are reached: say that a step of x is left out that leads to w, since x slept
 * there behind the step of y, from a state s on. The steps commute, so y's step leads from sx to w, too, where sx is the
 * state behind x's step from s; and y < x. If sx is reached at all, w is reached by that step, or it is left out too, for
 * the sake of one of a still lower number, and so on. And sx is reached, by induction, if there is an order of states in
 * which it comes before w. That order is the one of steps, unless a task comes back to where it was; so steps to a place
 * that is known by a key (`forget`) are never left out, and nobody sleeps behind them.
 */
export class DepthFirst {
  readonly #frame: Frame;
  readonly #options: SearchOptions;
  /** The states of the current path, root first. */
  #path = new Int32Array(256 * ENTRY);
  /** For each of them, the node that its agent `PREVIOUS` came from. */
  readonly #left: Node[] = [];
  #depth = 0;
  /** Agents that have not ended, a bit each. */
  #live = 0;
  /** The lowest depth of a state of the path that was met again. */
  #open = NOWHERE;
  readonly #mindsLoops: boolean;
  /** Whether agents sleep by their numbers. */
  readonly #ranked: boolean;
  /** Context switches up to the step at hand. */
  #switches = 0;
  #budget = 0;
  readonly #pollMask: number;
  /** Whether agents with low numbers go first. */
  readonly #upwards: boolean;
  /** The schedule to the first state of the path. */
  #prefix: Uint8Array = EVERYTHING.prefix;

  /** @param pollMask new states between two calls of `options.stop`, less 1: a power of two, less 1. */
  constructor(frame: Frame, options: SearchOptions, pollMask = 0xfff) {
    this.#frame = frame;
    this.#options = options;
    this.#pollMask = pollMask;
    this.#upwards = frame.sleepers === undefined;
    this.#ranked = frame.visited.isShared === true;
    this.#mindsLoops = frame.sleepers !== undefined && !this.#ranked;
  }

  /** Explores a part of the search, by default all of it. */
  explore(from: Unit = EVERYTHING): SearchResult {
    this.#begin(from);
    for (;;) {
      const agent = this.#nextAgent();
      const end = agent < 0 ? this.#leave() : this.#step(agent);
      if (end !== undefined) return end;
    }
  }

  /**
   * Takes away the untried steps that are nearest the root.
   *
   * @returns undefined if there are none, or only behind more than `prefixMax` steps.
   */
  split(prefixMax: number): Unit | undefined {
    const path = this.#path;
    // A step of the state at the end would be the next that is made here.
    for (let depth = 0; depth < this.#depth && this.#prefix.length + depth <= prefixMax; depth++) {
      const at = depth * ENTRY;
      const agents = path[at + TODO] as number;
      if (agents === 0) continue;
      path[at + TODO] = 0;
      return { prefix: this.#schedule(depth), agents, asleep: path[at + ASLEEP] as number };
    }
    return undefined;
  }

  /** What is left to do between two states: as branches, from which `explore` goes on. */
  branches(): Branches {
    const path = this.#path;
    const units: number[] = [];
    for (let depth = 0; depth <= this.#depth; depth++) {
      const at = depth * ENTRY;
      if (path[at + TODO] === 0) continue;
      units.push(this.#prefix.length + depth, path[at + TODO] as number, path[at + ASLEEP] as number);
    }
    return { path: this.#schedule(this.#depth), units: Int32Array.from(units) };
  }

  /** The schedule to the state at `depth`. */
  #schedule(depth: number): Uint8Array {
    const before = this.#prefix.length;
    const schedule = new Uint8Array(before + depth);
    schedule.set(this.#prefix);
    for (let at = 1; at <= depth; at++) schedule[before + at - 1] = this.#path[at * ENTRY + PREVIOUS] as number;
    return schedule;
  }

  /** Goes to the state after a unit's prefix, and finds out what the steps of those asleep touch. */
  #begin({ prefix, agents, asleep }: Unit): void {
    const frame = this.#frame;
    const { sleepers, nodes } = frame;
    const { transitions } = frame;
    frame.goToRoot();
    this.#prefix = prefix;
    this.#depth = 0;
    this.#switches = 0;
    this.#open = NOWHERE;
    let previous = -1;
    for (const agent of prefix) {
      if (previous >= 0 && agent !== previous && frame.switchesMax >= 0 && frame.isEnabled(previous)) this.#switches++;
      frame.advance(agent);
      frame.system.machine.failure = undefined;
      previous = agent;
    }
    this.#live = 0;
    for (const [agent, { step }] of nodes.entries()) if (step !== undefined) this.#live |= 1 << agent;
    this.#enter(previous, asleep);
    (this.#path[TODO] as number) &= agents;
    // Whoever met this state first has seen whether it is an end.
    if (agents !== -1) this.#path[ALIVE] = 1;
    if (asleep !== 0 && sleepers !== undefined) this.#observeAsleep(asleep, sleepers);
    frame.transitions = transitions;
  }

  /** Makes the steps of agents that sleep in the first state of the path, to see what they touch. */
  #observeAsleep(asleep: number, sleepers: Sleepers): void {
    const frame = this.#frame;
    const { machine } = frame.system;
    for (let rest = asleep; rest !== 0;) {
      const agent = 31 - Math.clz32(rest);
      rest ^= 1 << agent;
      const node = frame.nodes[agent] as Node;
      machine.store.touched = 0;
      machine.store.written = 0;
      frame.isEnabled(agent);
      frame.advance(agent);
      sleepers.pass(0, agent, 0);
      machine.failure = undefined;
      frame.nodes[agent] = node;
      this.#restore(0);
    }
  }

  /** The next agent to try: enabled, and within the bound on switches; -1 if there is none. */
  #nextAgent(): number {
    const frame = this.#frame;
    const { store } = frame.system.machine;
    const path = this.#path;
    const at = this.#depth * ENTRY;
    for (let todo = path[at + TODO] as number; todo !== 0;) {
      const agent = 31 - Math.clz32(this.#upwards ? todo & -todo : todo);
      todo ^= 1 << agent;
      // What the wait reads is part of the footprint of the step.
      store.touched = 0;
      store.written = 0;
      if (!frame.isEnabled(agent)) continue;
      path[at + ALIVE] = 1;
      if (frame.switchesMax >= 0 && !this.#mayRun(at, agent)) continue;
      path[at + TODO] = todo;
      return agent;
    }
    path[at + TODO] = 0;
    return -1;
  }

  /** Makes a step of an agent from the state at the end of the path; a result if the search ends here. */
  #step(agent: number): SearchResult | undefined {
    const frame = this.#frame;
    const { sleepers } = frame;
    const depth = this.#depth;
    const at = depth * ENTRY;
    const node = frame.nodes[agent] as Node;
    const next = frame.advance(agent);
    const asleep = sleepers === undefined ? 0 : sleepers.pass(depth, agent, this.#sleepersBehind(at, agent, next));
    if (frame.system.machine.failure !== undefined) {
      if (frame.endsSearch(this.#options)) return this.#violation(depth, agent);
      if (this.#options.countFailures !== true) return this.#stepBack(at, agent, node, this.#open > depth);
    }
    if (!frame.visit(agent, this.#switches)) return this.#stepBack(at, agent, node, this.#isDone(depth));
    if (next.step === undefined) this.#live ^= 1 << agent;
    this.#depth = depth + 1;
    this.#left[depth + 1] = node;
    this.#enter(agent, asleep);
    return this.#boundHere();
  }

  /** Takes back a step of `agent`, which stood at `node`, to the state at `at`; `done`: it may sleep from now on. */
  #stepBack(at: number, agent: number, node: Node, done: boolean): undefined {
    const frame = this.#frame;
    frame.nodes[agent] = node;
    if (done) (this.#path[at + ASLEEP] as number) |= 1 << agent;
    this.#restore(at);
  }

  /** Leaves the state at the end of the path, and all before it from which there is nothing left to try. */
  #leave(): SearchResult | undefined {
    const frame = this.#frame;
    const path = this.#path;
    let depth = this.#depth;
    if (path[depth * ENTRY + ALIVE] === 0) {
      frame.atEnd();
      if (frame.system.machine.failure !== undefined && frame.endsSearch(this.#options))
        return this.#violation(depth, -1);
    }
    do {
      if (depth === 0) return frame.result('exhausted');
      const done = this.#finish(depth);
      const agent = path[depth * ENTRY + PREVIOUS] as number;
      frame.nodes[agent] = this.#left[depth] as Node;
      this.#live |= 1 << agent;
      depth--;
      if (done) (path[depth * ENTRY + ASLEEP] as number) |= 1 << agent;
    } while (path[depth * ENTRY + TODO] === 0);
    this.#depth = depth;
    this.#restore(depth * ENTRY);
    return undefined;
  }

  /** Goes back to the state at `at`, but for the agents' nodes. */
  #restore(at: number): void {
    const { print, system } = this.#frame;
    const path = this.#path;
    system.machine.store.rollback(path[at + MARK] as number);
    print.low = path[at + LOW] as number;
    print.high = path[at + HIGH] as number;
  }

  /** Those that may sleep behind a step of `agent` from the state at `at`; by its number it may then sleep itself. */
  #sleepersBehind(at: number, agent: number, next: Node): number {
    const path = this.#path;
    const asleep = path[at + ASLEEP] as number;
    if (!this.#ranked) return asleep;
    if (next.key !== undefined) return 0;
    path[at + ASLEEP] = asleep | (1 << agent);
    return asleep & (-2 << agent);
  }

  /** The state at `depth` is left: true if it is done. */
  #finish(depth: number): boolean {
    if (depth === this.#open) this.#open = NOWHERE;
    return this.#mindsLoops && this.#open === NOWHERE;
  }

  /** True if the state at hand, which is known, is done; else it is noted where the path has met it. */
  #isDone(depth: number): boolean {
    if (!this.#mindsLoops || (this.#frame.automaton.loops && this.#noteIfOnPath(depth))) return false;
    return this.#open > depth;
  }

  /** If the state at hand is on the path, steps that led to it have not been explored to the end. */
  #noteIfOnPath(top: number): boolean {
    const { low, high } = this.#frame.print;
    const path = this.#path;
    for (let depth = top; depth >= 0; depth--) {
      if (path[depth * ENTRY + LOW] !== low || path[depth * ENTRY + HIGH] !== high) continue;
      if (depth < this.#open) this.#open = depth;
      return true;
    }
    return false;
  }

  /** The bound that is hit on entering the state at the end of the path, as a result, if any. */
  #boundHere(): SearchResult | undefined {
    const frame = this.#frame;
    if (frame.isFull()) return frame.result('bound', 'states');
    if (this.#prefix.length + this.#depth >= frame.stepsMax) return frame.result('bound', 'steps');
    if ((++this.#budget & this.#pollMask) === 0 && this.#options.stop?.(frame.visited.size) === true)
      return frame.result('bound', 'stopped');
    return undefined;
  }

  /** True if the step of an agent stays within the bound on switches; `#switches` is then their number. */
  #mayRun(at: number, agent: number): boolean {
    const frame = this.#frame;
    const previous = this.#path[at + PREVIOUS] as number;
    const isSwitch = previous >= 0 && agent !== previous && frame.isEnabled(previous);
    this.#switches = (this.#path[at + SWITCHES] as number) + (isSwitch ? 1 : 0);
    return this.#switches <= frame.switchesMax;
  }

  /** Puts the current state, a new one, at the end of the path. */
  #enter(previous: number, asleep: number): void {
    const { print, system } = this.#frame;
    const depth = this.#depth;
    const at = depth * ENTRY;
    if (at === this.#path.length) this.#growPath();
    const path = this.#path;
    path[at + PREVIOUS] = previous;
    path[at + SWITCHES] = this.#switches;
    path[at + TODO] = this.#live & ~asleep;
    path[at + ASLEEP] = asleep;
    path[at + ALIVE] = asleep;
    path[at + MARK] = system.machine.store.logLength;
    path[at + LOW] = print.low;
    path[at + HIGH] = print.high;
    const steps = this.#prefix.length + depth;
    if (steps > this.#frame.depth) this.#frame.depth = steps;
  }

  #growPath(): void {
    const longer = new Int32Array(this.#path.length * 2);
    longer.set(this.#path);
    this.#path = longer;
  }

  /** The path to the state at `depth`, and the step that failed there (-1: the state itself is wrong). */
  #violation(depth: number, last: number): SearchResult {
    const schedule: number[] = [...this.#prefix];
    for (let at = 1; at <= depth; at++) schedule.push(this.#path[at * ENTRY + PREVIOUS] as number);
    if (last >= 0) schedule.push(last);
    const frame = this.#frame;
    frame.depth = Math.max(frame.depth, schedule.length);
    const failure = frame.system.machine.failure;
    const result = frame.result('violation');
    return failure === undefined ? result : { ...result, failure, schedule };
  }
}
