import { Automaton, type Node } from '../automaton.ts';
import type { Failure } from '../failure.ts';
import type { Footprint, Footprints } from '../footprint.ts';
import type { Store } from '../store.ts';
import { diagnoseStuck } from '../stuck.ts';
import type { System } from '../system.ts';
import { TracedSteps } from '../traced-steps.ts';
import type { TraceTarget } from './target.ts';

/** Cells that a wait has ever read. */
interface Watch {
  readonly cells: Set<number>;
  footprint: Footprint;
}

/** A system of the engine as a target: steps are memoised, and taken back by the undo log. */
export class SystemTarget implements TraceTarget {
  readonly agents: number;
  readonly footprints: Footprints;
  readonly #system: System;
  readonly #store: Store;
  readonly #automaton: Automaton;
  readonly #steps: TracedSteps;
  readonly #root: number;
  /** Local state of each agent. */
  readonly #nodes: Node[];
  /** For each step made: where its agent was before, and the undo mark. */
  readonly #left: Node[] = [];
  readonly #marks: number[] = [];
  #depth = 0;
  /** By id of the node. */
  readonly #watches: (Watch | undefined)[] = [];

  constructor(system: System) {
    const { machine, agents } = system;
    machine.agents = agents;
    this.agents = agents.length;
    this.#system = system;
    this.#store = machine.store;
    this.#automaton = new Automaton(agents);
    this.#steps = new TracedSteps(system, this.#automaton);
    this.footprints = this.#steps.footprints;
    this.#root = this.#store.mark();
    this.#nodes = agents.map((_, agent) => this.#automaton.start(agent));
  }

  get failure(): Failure | undefined {
    return this.#system.machine.failure;
  }

  reset(): void {
    this.backTo(0);
    this.#store.rollback(this.#root);
    this.#system.machine.failure = undefined;
    this.#system.machine.current = -1;
  }

  backTo(depth: number): void {
    if (depth >= this.#depth) return;
    for (let at = this.#depth - 1; at >= depth; at--) {
      const node = this.#left[at] as Node;
      this.#nodes[node.agent] = node;
    }
    this.#store.rollback(this.#marks[depth] as number);
    this.#depth = depth;
  }

  enabled(agent: number): boolean {
    const node = this.#nodes[agent] as Node;
    return node.step !== undefined && (node.wait === undefined || this.#isReady(node));
  }

  watched(agent: number): Footprint | undefined {
    const node = this.#nodes[agent] as Node;
    return node.wait === undefined ? undefined : this.#watchOf(node).footprint;
  }

  step(agent: number): Footprint {
    const { machine } = this.#system;
    const node = this.#nodes[agent] as Node;
    this.#left[this.#depth] = node;
    this.#marks[this.#depth++] = this.#store.logLength;
    machine.failure = undefined;
    machine.current = agent;
    this.#nodes[agent] = this.#steps.step(node);
    machine.current = -1;
    return this.#steps.footprint;
  }

  conclude(): void {
    const { machine, agents, quiescent } = this.#system;
    machine.failure = undefined;
    this.#marks[this.#depth] = this.#store.logLength;
    const stuck = diagnoseStuck(machine, this.#nodes, (agent) => agents[agent]?.daemon ?? false);
    if (stuck !== undefined) machine.fail(stuck);
    else quiescent?.();
    this.#store.rollback(this.#marks[this.#depth] as number);
  }

  /** Sets the cells back and forth by the undo log: what the kept steps have written is what they would write there. */
  readyAfter(agent: number, depth: number, kept: Uint8Array): boolean {
    const { cells, logCell, logOld, logNew, logLength } = this.#store;
    const from = this.#marks[depth] as number;
    for (let at = logLength - 1; at >= from; at--) cells[logCell[at] as number] = logOld[at] as number;
    for (let step = depth; step < this.#depth; step++) {
      if (kept[step] !== 1) continue;
      const end = step + 1 < this.#depth ? (this.#marks[step + 1] as number) : logLength;
      for (let at = this.#marks[step] as number; at < end; at++) cells[logCell[at] as number] = logNew[at] as number;
    }
    const ready = this.#isReady(this.#nodes[agent] as Node);
    for (let at = from; at < logLength; at++) cells[logCell[at] as number] = logNew[at] as number;
    return ready;
  }

  #isReady(node: Node): boolean {
    const store = this.#store;
    const watch = this.#watchOf(node);
    const known = watch.cells.size;
    store.startRecording();
    const ready = node.wait?.ready() ?? true;
    store.stopRecording();
    for (let at = 0; at < store.readCount; at++) watch.cells.add(store.reads[at] as number);
    if (watch.cells.size > known)
      watch.footprint = this.footprints.of(Int32Array.from(watch.cells), watch.cells.size, 0);
    return ready;
  }

  #watchOf(node: Node): Watch {
    const known = this.#watches[node.id];
    if (known !== undefined) return known;
    const made: Watch = { cells: new Set(), footprint: this.footprints.of(new Int32Array(0), 0, 0) };
    this.#watches[node.id] = made;
    return made;
  }
}
