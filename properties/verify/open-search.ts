import type { Node } from '../../engine/automaton.ts';
import { mixHigh, mixLow } from '../../engine/hash.ts';
import type { StepMemo } from '../../engine/memo.ts';
import { Visited } from '../../engine/search/visited.ts';
import type { Operation, Program } from '../family.ts';
import type { Client } from './client.ts';
import { Names } from './names.ts';

/** Words of an entry of the path. */
const ENTRY = 9;
/** The state of the store: undo mark and fingerprint. */
const MARK = 0;
const LOW = 1;
const HIGH = 2;
/** Operations that may still be started; how many of each kind of like things were named, four bits each. */
const LEFT = 3;
const ALIKE = 4;
/** CPUs that ever ran something: 0 to this - 1. */
const USED = 5;
/** The next move to try, and 1 if an agent that is under way can go on. */
const NEXT = 6;
const ALIVE = 7;
/** The move that led here: agent, and operation + 1 if it was started, times `AGENTS`. */
const MOVE = 8;
const AGENTS = 16;
/** Makes what belongs to a state besides store and nodes part of its fingerprint. */
const SALT = 0x6a09e667;

/** Bounds of a search. */
export interface OpenOptions {
  /** Most operations of a program. */
  readonly operations: number;
  /** Most states. */
  readonly statesMax: number;
  /**
   * Whether states that differ in the CPUs' names count once, and of idle CPUs only the lowest is given an operation.
   * False: each idle CPU is, but of those that never ran anything only the lowest.
   */
  readonly symmetric: boolean;
}

/** What became of a search: `paused` means that it can go on. */
export type OpenEnd = 'exhausted' | 'violation' | 'states' | 'paused';

/**
 * Every interleaving of every program of up to so many operations, in one search: the most general client (Amit, Rinetzky,
 * Reps, Sagiv and Yahav, "Comparison under abstraction for verifying linearizability", CAV 2007). An idle CPU is given any
 * operation; the start of an operation is one with its first step.
 *
 * It visits the states that searching each program on its own would visit, and no others: a run of a program is a run of
 * the client which gives each CPU that program's operations, and a run of the client is one of the program that it has
 * started. But what programs have in common is searched once.
 */
export class OpenSearch {
  states = 0;
  transitions = 0;
  /** States in which nothing is under way: ends of programs. */
  ends = 0;
  /** Longest schedule followed. */
  longest = 0;
  readonly #client: Client;
  readonly #options: OpenOptions;
  readonly #visited = new Visited();
  readonly #names: Names;
  /** Where each agent stands; undefined: an idle CPU. */
  readonly #nodes: (Node | undefined)[];
  readonly #wasAt: (Node | undefined)[] = [];
  #path = new Int32Array(256 * ENTRY);
  #depth = 0;
  #low = 0;
  #high = 0;
  #entered = false;
  /** An operation that can never begin, at the end of the path. */
  #blocked = -1;

  constructor(client: Client, options: OpenOptions) {
    this.#client = client;
    this.#options = options;
    this.#names = new Names(client.system.machine, client.cpus, options.symmetric);
    this.#nodes = [...client.starts.map(() => undefined), ...client.daemons];
  }

  /** Searches on until `pause` says so; it is asked every few thousand transitions. */
  run(pause: () => boolean): OpenEnd {
    if (!this.#entered) this.#begin();
    const { machine } = this.#client.system;
    for (let budget = 1; ; budget++) {
      if ((budget & 0xfff) === 0 && pause()) return 'paused';
      const move = this.#nextMove();
      if (move < 0) {
        if (this.#path[this.#depth * ENTRY + ALIVE] === 0 && this.#fails()) return 'violation';
        if (this.#depth === 0) return 'exhausted';
        this.#leave();
        continue;
      }
      this.#take(move);
      if (machine.failure !== undefined) return 'violation';
      if (!this.#visit()) this.#leave();
      else if (this.states >= this.#options.statesMax) return 'states';
    }
  }

  /** After `violation`: the program that led to where the search stands, and who made each step, by name. */
  counterexample(): { readonly program: Program; readonly movers: readonly string[] } {
    const { cpus, operations, system } = this.#client;
    const lists: Operation[][] = Array.from({ length: cpus }, () => []);
    const movers: string[] = [];
    for (let depth = 1; depth <= this.#depth; depth++) {
      const move = this.#path[depth * ENTRY + MOVE] as number;
      const agent = move % AGENTS;
      const started = operations[Math.floor(move / AGENTS) - 1];
      if (started !== undefined) lists[agent]?.push(started);
      movers.push(system.agents[agent]?.name ?? '');
    }
    const never = operations[this.#blocked];
    if (never !== undefined) lists[0]?.push(never);
    const agents = lists.map((list, cpu) => ({ name: `CPU${cpu}`, operations: list }));
    return { program: { agents: agents.filter((agent) => agent.operations.length > 0) }, movers };
  }

  /** Leaves the world as it was before the search. */
  close(): void {
    const { machine } = this.#client.system;
    machine.store.rollback(this.#client.root);
    machine.failure = undefined;
    machine.current = -1;
  }

  #begin(): void {
    this.#entered = true;
    const path = this.#path;
    path.fill(0, 0, ENTRY);
    path[MARK] = this.#client.root;
    path[LEFT] = this.#options.operations;
    this.#visit();
  }

  /** The next move from the current state, or -1: agents that are under way go on, idle CPUs are given an operation. */
  #nextMove(): number {
    const nodes = this.#nodes;
    const path = this.#path;
    const at = this.#depth * ENTRY;
    const slots = this.#client.operations.length + 1;
    let next = path[at + NEXT] as number;
    for (let agent = Math.floor(next / slots); agent < nodes.length; agent++, next = agent * slots) {
      const node = nodes[agent];
      if (node === undefined) {
        const operation = this.#nextStart(agent, next - agent * slots);
        if (operation < 0) continue;
        path[at + NEXT] = agent * slots + operation + 1;
        return agent + AGENTS * (operation + 1);
      }
      if (next > agent * slots || node.step === undefined) continue;
      if (node.wait !== undefined && !node.wait.ready()) continue;
      path[at + ALIVE] = 1;
      path[at + NEXT] = agent * slots + 1;
      return agent;
    }
    path[at + NEXT] = next;
    return -1;
  }

  /** The next operation, from `from` on, that an idle CPU may be given; -1 if there is none. */
  #nextStart(cpu: number, from: number): number {
    const at = this.#depth * ENTRY;
    if (this.#path[at + LEFT] === 0 || !this.#mayStart(cpu)) return -1;
    const starts = this.#client.starts[cpu] as readonly Node[];
    for (let operation = from; operation < starts.length; operation++) {
      if (!this.#isFresh(operation)) continue;
      const { step, wait } = starts[operation] as Node;
      if (step !== undefined && (wait === undefined || wait.ready())) return operation;
    }
    return -1;
  }

  #mayStart(cpu: number): boolean {
    if (!this.#options.symmetric) return cpu <= (this.#path[this.#depth * ENTRY + USED] as number);
    for (let lower = 0; lower < cpu; lower++) if (this.#nodes[lower] === undefined) return false;
    return true;
  }

  /** Of things that are alike, programs name the first one first. */
  #isFresh(operation: number): boolean {
    const kind = this.#client.alikeKind[operation] as number;
    if (kind < 0) return true;
    const named = ((this.#path[this.#depth * ENTRY + ALIKE] as number) >> (4 * kind)) & 15;
    return (this.#client.alikeIndex[operation] as number) <= named;
  }

  /** Makes a move, and puts the state that it leads to at the end of the path. */
  #take(move: number): void {
    const { memos, system, starts, alikeKind, alikeIndex } = this.#client;
    const path = this.#room();
    const from = this.#depth * ENTRY;
    const to = from + ENTRY;
    const agent = move % AGENTS;
    const operation = Math.floor(move / AGENTS) - 1;
    const was = this.#nodes[agent];
    const node = was ?? ((starts[agent] as readonly Node[])[operation] as Node);
    system.machine.current = agent;
    const memo = memos[agent] as StepMemo;
    const next = memo.step(node);
    this.transitions++;
    this.#low ^= memo.low;
    this.#high ^= memo.high;
    const isDone = next.step === undefined && agent < starts.length;
    this.#nodes[agent] = isDone ? undefined : next;
    this.#depth++;
    this.#wasAt[this.#depth] = was;
    let alike = path[from + ALIKE] as number;
    if (operation >= 0) {
      const shift = 4 * (alikeKind[operation] as number);
      if (shift >= 0 && ((alike >> shift) & 15) === alikeIndex[operation]) alike += 1 << shift;
    }
    path[to + MARK] = system.machine.store.logLength;
    path[to + LOW] = this.#low;
    path[to + HIGH] = this.#high;
    path[to + LEFT] = (path[from + LEFT] as number) - (operation >= 0 ? 1 : 0);
    path[to + ALIKE] = alike;
    path[to + USED] = operation >= 0 ? Math.max(path[from + USED] as number, agent + 1) : (path[from + USED] as number);
    path[to + NEXT] = 0;
    path[to + ALIVE] = 0;
    path[to + MOVE] = move;
    if (this.#depth > this.longest) this.longest = this.#depth;
  }

  /** Takes the last move back. */
  #leave(): void {
    const path = this.#path;
    const agent = (path[this.#depth * ENTRY + MOVE] as number) % AGENTS;
    this.#nodes[agent] = this.#wasAt[this.#depth];
    const at = --this.#depth * ENTRY;
    this.#client.system.machine.store.rollback(path[at + MARK] as number);
    this.#low = path[at + LOW] as number;
    this.#high = path[at + HIGH] as number;
  }

  /** Marks the state at the end of the path as visited; false if it was. */
  #visit(): boolean {
    const at = this.#depth * ENTRY;
    const key = ((this.#path[at + ALIKE] as number) << 4) | (this.#path[at + LEFT] as number);
    const names = this.#names;
    names.print(this.#nodes, this.#low ^ mixLow(key, SALT), this.#high ^ mixHigh(key, SALT));
    if (!this.#visited.visit(names.low, names.high)) return false;
    this.states++;
    return true;
  }

  /** True if nothing can go on here and that is a failure: of agents that wait for ever, or of what is left over. */
  #fails(): boolean {
    const { system, starts } = this.#client;
    const { machine } = system;
    machine.current = -1;
    this.ends++;
    if (this.#nodes.slice(0, starts.length).some((node) => node !== undefined)) return true;
    system.quiescent?.();
    if (machine.failure !== undefined) return true;
    if (this.#path[this.#depth * ENTRY + LEFT] === 0) return false;
    // What cannot even begin now never will.
    this.#blocked = (starts[0] as readonly Node[]).findIndex(({ wait }) => wait !== undefined && !wait.ready());
    return this.#blocked >= 0;
  }

  #room(): Int32Array {
    const need = (this.#depth + 2) * ENTRY;
    if (need > this.#path.length) {
      const longer = new Int32Array(need * 2);
      longer.set(this.#path);
      this.#path = longer;
    }
    return this.#path;
  }
}
