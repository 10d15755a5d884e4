import { Automaton, type Node } from '../../engine/automaton.ts';
import { AGENTS_MAX } from '../../engine/machine.ts';
import { StepMemo } from '../../engine/memo.ts';
import type { System } from '../../engine/system.ts';
import type { Operation, SmallScope, World } from '../family.ts';

/** Steps remembered: a search of all programs comes back to each of them more often than one of a single program. */
const EFFECTS_MAX = 1_000_000;
/** Things that are alike are counted in four bits for each kind. */
const KINDS_MAX = 7;

/**
 * Software that may do anything: CPUs that are given any operation whenever they are idle. Each operation is an agent of
 * its own for the automaton, so that its local states and the memo of its steps serve all programs.
 */
export class Client {
  readonly system: System;
  readonly operations: readonly Operation[];
  readonly cpus: number;
  /** For each agent, the memo of its steps. */
  readonly memos: readonly StepMemo[];
  /** Undo mark of the initial state. */
  readonly root: number;
  /** For each CPU, where each operation begins. */
  readonly starts: readonly (readonly Node[])[];
  /** Agents of the world besides the CPUs (hardware, work queues), from index `cpus` on. */
  readonly daemons: readonly Node[];
  /** For each operation, the kind of the interchangeable thing that it names, and which one it is; -1: none. */
  readonly alikeKind: Int8Array;
  readonly alikeIndex: Int8Array;

  /** @param symmetric whether programs that differ in the names of like things count once. */
  constructor(world: World, scope: SmallScope, cpus: number, symmetric = true) {
    const { configuration } = world;
    this.operations = scope.alphabet(configuration);
    this.cpus = cpus;
    const names = Array.from({ length: cpus }, (_, cpu) => `CPU${cpu}`);
    this.system = world.load({ agents: names.map((name) => ({ name, operations: this.operations })) });
    const { machine, agents } = this.system;
    if (agents.length > AGENTS_MAX) throw new RangeError(`a world has at most ${AGENTS_MAX} agents, CPUs included`);
    machine.agents = agents;
    machine.failure = undefined;
    // Every CPU has an automaton of its own, and in all of them an operation has one number: CPUs at the same point of the
    // same operation have nodes with one fingerprint.
    const singles = (agents[0]?.operations ?? []).map((_, index) => index);
    const automata = agents
      .slice(0, cpus)
      .map(
        (agent) =>
          new Automaton(singles.map((index) => ({ ...agent, operations: agent.operations.slice(index, index + 1) }))),
      );
    const others = new Automaton([...(automata[0]?.agents ?? []), ...agents.slice(cpus)]);
    this.memos = agents.map((_, agent) => new StepMemo(this.system, automata[agent] ?? others, EFFECTS_MAX));
    this.starts = automata.map((automaton) => singles.map((index) => automaton.start(index)));
    this.daemons = agents.slice(cpus).map((_, index) => others.start(singles.length + index));
    this.root = machine.store.mark();
    this.alikeKind = new Int8Array(singles.length).fill(-1);
    this.alikeIndex = new Int8Array(singles.length);
    if (symmetric) this.#findAlike(world, scope);
  }

  #findAlike({ configuration }: World, scope: SmallScope): void {
    const kinds: string[] = [];
    for (const [index, operation] of this.operations.entries()) {
      const alike = scope.alike?.(configuration, operation);
      if (alike === undefined) continue;
      if (!kinds.includes(alike.kind)) kinds.push(alike.kind);
      this.alikeKind[index] = kinds.indexOf(alike.kind);
      this.alikeIndex[index] = alike.index;
    }
    if (kinds.length > KINDS_MAX) throw new RangeError(`a small scope has at most ${KINDS_MAX} kinds of like things`);
  }
}
