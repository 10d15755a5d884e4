import { fingerprint } from '../failure.ts';
import { Forget, NOTHING, type Result, type Step, type Task } from '../step.ts';
import type { System } from '../system.ts';

/**
 * The oracle for run and search: every schedule, one by one, each in a world of its own, by stepping generators. It shares
 * neither the automaton nor the undo log nor the fingerprints with what it judges.
 */
export interface Naive {
  /** Number of complete schedules (to the end, or to a failure). */
  schedules: number;
  /** Distinct states that are no failure: all cells, and each agent's history since its last `forget`. */
  readonly states: Set<string>;
  /** Distinct (state, agent) pairs: transitions of the graph. */
  readonly transitions: Set<string>;
  /** Distinct states in which nothing can run. */
  readonly ends: Set<string>;
  /** Fingerprints of the failures. */
  readonly failures: Set<string>;
  /** Fewest steps of a failing schedule. */
  shortest: number;
  /** Fewest context switches of a failing schedule, and fewest steps with so few. */
  switches: number;
  shortestWithFewestSwitches: number;
}

/** One world, stepped by hand. */
class Hand {
  readonly system: System;
  readonly #tasks: (Task | undefined)[];
  readonly #pending: (Step | undefined)[];
  readonly #operation: number[];
  readonly #history: string[][];

  constructor(system: System) {
    this.system = system;
    system.machine.agents = system.agents;
    this.#tasks = system.agents.map(() => undefined);
    this.#pending = system.agents.map(() => undefined);
    this.#operation = system.agents.map(() => -1);
    this.#history = system.agents.map(() => []);
    system.agents.forEach((_, agent) => this.#start(agent));
  }

  /** Starts the next operation that has a step. */
  #start(agent: number): void {
    do {
      this.#operation[agent] = (this.#operation[agent] as number) + 1;
      const task = this.system.agents[agent]?.operations[this.#operation[agent] as number]?.start();
      this.#tasks[agent] = task;
      this.#history[agent] = [];
      this.#pending[agent] = task === undefined ? undefined : this.#resume(agent, undefined);
    } while (this.#tasks[agent] !== undefined && this.#pending[agent] === undefined);
  }

  /** Resumes an agent's task up to its next step; a `forget` on the way replaces its history by the key. */
  #resume(agent: number, received: unknown): Step | undefined {
    const task = this.#tasks[agent] as Task;
    let { value, done } = task.next(received as never);
    while (!done && value instanceof Forget) {
      this.#history[agent] = [`forget ${value.key}`];
      ({ value, done } = task.next(NOTHING as never));
    }
    return done ? undefined : (value as Step);
  }

  canRun(agent: number): boolean {
    const pending = this.#pending[agent];
    return pending !== undefined && (pending.wait === undefined || pending.wait.ready());
  }

  run(agent: number): void {
    this.system.machine.current = agent;
    const result: Result = (this.#pending[agent] as Step).run();
    this.system.check?.();
    this.system.machine.current = -1;
    (this.#history[agent] as string[]).push(`${typeof result} ${String(result)}`);
    this.#pending[agent] = this.#resume(agent, result === undefined ? NOTHING : result);
    if (this.#pending[agent] === undefined) this.#start(agent);
  }

  /** True if some agent waits for ever. */
  stuck(): boolean {
    return this.#pending.some((pending, agent) => pending !== undefined && this.system.agents[agent]?.daemon !== true);
  }

  key(): string {
    const { store } = this.system.machine;
    return JSON.stringify([[...store.cells.subarray(0, store.size)], this.#operation, this.#history]);
  }
}

/** Enumerates every schedule of the world that `build` makes afresh each time. */
export function enumerate(build: () => System): Naive {
  const found: Naive = {
    schedules: 0,
    states: new Set(),
    transitions: new Set(),
    ends: new Set(),
    failures: new Set(),
    shortest: Infinity,
    switches: Infinity,
    shortestWithFewestSwitches: Infinity,
  };
  explore(build, [], found);
  return found;
}

function explore(build: () => System, schedule: readonly number[], found: Naive): void {
  const hand = new Hand(build());
  const { machine } = hand.system;
  let switches = 0;
  schedule.forEach((agent, at) => {
    const previous = schedule[at - 1];
    if (previous !== undefined && previous !== agent && hand.canRun(previous)) switches++;
    hand.run(agent);
  });
  if (machine.failure !== undefined) return noteFailure(found, fingerprint(machine.failure), schedule, switches);
  const key = hand.key();
  found.states.add(key);
  const enabled = hand.system.agents.map((_, agent) => agent).filter((agent) => hand.canRun(agent));
  for (const agent of enabled) {
    found.transitions.add(`${key} ${agent}`);
    explore(build, [...schedule, agent], found);
  }
  if (enabled.length > 0) return undefined;
  found.ends.add(key);
  if (hand.stuck()) return noteFailure(found, 'stuck', schedule, switches);
  found.schedules++;
  return undefined;
}

function noteFailure(found: Naive, name: string, schedule: readonly number[], switches: number): void {
  found.schedules++;
  found.failures.add(name);
  found.shortest = Math.min(found.shortest, schedule.length);
  if (switches < found.switches) found.shortestWithFewestSwitches = schedule.length;
  else if (switches === found.switches)
    found.shortestWithFewestSwitches = Math.min(found.shortestWithFewestSwitches, schedule.length);
  found.switches = Math.min(found.switches, switches);
}
