import { Automaton, type Node } from './automaton.ts';
import { AGENTS_MAX } from './machine.ts';
import type { Footprints } from './footprint.ts';
import { memoOf, type StepMemo } from './memo.ts';
import { diagnoseStuck } from './stuck.ts';
import type { Store } from './store.ts';
import type { RunView, Strategy } from './strategies/strategy.ts';
import type { RunEnd, System } from './system.ts';
import { TracedSteps } from './traced-steps.ts';

/** Steps expected of the first run. */
const STEPS_UNKNOWN = 64;

/**
 * Runs one program many times, each time under a strategy. The store is rolled back to the state in which the runner was
 * made before each run; the schedule of the last run stands in `schedule[0 … steps-1]`.
 */
export class Runner implements RunView {
  readonly system: System;
  readonly store: Store;
  readonly automaton: Automaton;
  /** Agent index of each step of the last run. */
  readonly schedule: Int32Array;
  /** Number of steps of the last run. */
  steps = 0;
  /** Most steps of a run before it is cut off. */
  readonly stepsMax: number;
  /** Local state of each agent, after the last step. */
  readonly nodes: Node[];
  /** Undo mark of the state before the first step. */
  readonly root: number;

  readonly #starts: readonly Node[];
  /** Worlds with a check do much in a step; bare ones are faster without. */
  readonly #memo: StepMemo | undefined;
  /** Made for the first strategy that wants footprints, since they cost time. */
  #traced: TracedSteps | undefined;
  readonly #enabled = new Int32Array(AGENTS_MAX);
  /** True if some agent waited when the enabled ones were collected last, whether in vain or not. */
  #waits = false;
  /** Longest run so far, 0 before the first. */
  #longest = 0;

  constructor(system: System, stepsMax = 10_000) {
    this.system = system;
    this.store = system.machine.store;
    this.stepsMax = stepsMax;
    this.schedule = new Int32Array(stepsMax);
    this.automaton = new Automaton(system.agents);
    this.#starts = system.agents.map((_, agent) => this.automaton.start(agent));
    this.nodes = [...this.#starts];
    this.root = this.store.mark();
    this.#memo = memoOf(system, this.automaton);
    system.machine.agents = system.agents;
  }

  /** Where PCT places its change points: a function of the runs made before, and of nothing else. */
  get stepsExpected(): number {
    return this.#longest === 0 ? STEPS_UNKNOWN : this.#longest;
  }

  /** The table of footprints; only while a strategy with `ran` is in use. */
  get footprints(): Footprints | undefined {
    return this.#traced?.footprints;
  }

  /** Goes back to the state before the first step. */
  reset(): void {
    const { machine, agents } = this.system;
    machine.store.rollback(this.root);
    machine.failure = undefined;
    machine.agents = agents;
    this.steps = 0;
    const { nodes } = this;
    const starts = this.#starts;
    for (let agent = 0; agent < nodes.length; agent++) nodes[agent] = starts[agent] as Node;
  }

  /** Leaves the store as it was before the first step. */
  close(): void {
    this.reset();
  }

  /** One run from the start to its end. */
  run(strategy: Strategy, seed: number): RunEnd {
    this.reset();
    if (strategy.ran !== undefined) this.#traced ??= this.#startTracing();
    strategy.begin(seed, this);
    const end = this.#steps(strategy);
    this.system.machine.current = -1;
    if (this.steps > this.#longest) this.#longest = this.steps;
    const concluded = end === 'finished' ? this.#conclude() : end;
    strategy.ended?.(concluded);
    return concluded;
  }

  #steps(strategy: Strategy): RunEnd {
    const { system, nodes, schedule, stepsMax, automaton } = this;
    const { machine, check } = system;
    const memo = this.#memo;
    // What nodes remember belongs to one memo.
    const traced = strategy.ran !== undefined || memo !== undefined ? this.#traced : undefined;
    const enabled = this.#enabled;
    let previous = -1;
    let steps = 0;
    let end: RunEnd = 'finished';
    let count = this.#collect(enabled);
    for (;;) {
      if (count === 0) break;
      if (steps === stepsMax) {
        end = 'bound';
        break;
      }
      const agent = strategy.pick(enabled, count, steps, previous);
      if (agent < 0) {
        end = 'stopped';
        break;
      }
      const node = nodes[agent] as Node;
      let next: Node;
      machine.current = agent;
      if (traced !== undefined) next = traced.step(node);
      else if (memo !== undefined) next = memo.step(node);
      else {
        next = automaton.next(node, node.run());
        if (check !== undefined) check();
      }
      nodes[agent] = next;
      if (traced !== undefined) strategy.ran?.(node, traced.footprint);
      schedule[steps++] = agent;
      previous = agent;
      if (machine.failure !== undefined) {
        end = 'failed';
        break;
      }
      // Who can run stays the same as long as nobody waits and nobody ends.
      if (this.#waits || next.wait !== undefined || next.step === undefined) count = this.#collect(enabled);
    }
    this.steps = steps;
    return end;
  }

  #startTracing(): TracedSteps {
    for (const node of this.automaton.nodes) node.trail = undefined;
    return new TracedSteps(this.system, this.automaton, this.system.memoise ?? true);
  }

  /** No agent can run: either all is done, and nothing may be left over, or somebody waits in vain. */
  #conclude(): RunEnd {
    const { machine, agents, quiescent } = this.system;
    // Only somebody who waits can be stuck.
    const stuck = this.#waits
      ? diagnoseStuck(machine, this.nodes, (agent) => agents[agent]?.daemon ?? false)
      : undefined;
    if (stuck !== undefined) machine.fail(stuck);
    else quiescent?.();
    return machine.failure === undefined ? 'finished' : 'failed';
  }

  /** The agents that can run now, ascending, in `into`; returns how many. */
  enabledAgents(into: Int32Array): number {
    return this.#collect(into);
  }

  /** Runs one step of an agent (stepping and replay with observation); the agent must be enabled. */
  stepOnce(agent: number): unknown {
    const { machine } = this.system;
    const node = this.nodes[agent] as Node;
    machine.current = agent;
    const result = node.run();
    this.nodes[agent] = this.automaton.next(node, result);
    this.schedule[this.steps++] = agent;
    this.system.check?.();
    machine.current = -1;
    return result;
  }

  #collect(enabled: Int32Array): number {
    const { nodes } = this;
    let count = 0;
    let waits = false;
    for (let agent = 0; agent < nodes.length; agent++) {
      const node = nodes[agent] as Node;
      if (node.step === undefined) continue;
      const wait = node.wait;
      if (wait !== undefined) {
        waits = true;
        if (!wait.ready()) continue;
      }
      enabled[count++] = agent;
    }
    this.#waits = waits;
    return count;
  }
}
