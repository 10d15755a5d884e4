import type { Automaton, Node } from './automaton.ts';
import { Footprints, type Footprint } from './footprint.ts';
import { StepMemo } from './memo.ts';
import type { System } from './system.ts';

/**
 * Runs steps and tells what each touches: cells that it, its wait or the check after it has read or written. Memoised, this
 * costs next to nothing; without a memo the store records what a step reads.
 */
export class TracedSteps {
  readonly footprints: Footprints;
  /** The footprint of the last step. */
  footprint: Footprint;
  readonly #system: System;
  readonly #automaton: Automaton;
  readonly #memo: StepMemo | undefined;

  /** @param memoise whether a step that finds what it found before is replayed from memory. */
  constructor(system: System, automaton: Automaton, memoise = true) {
    this.footprints = new Footprints();
    this.footprint = this.footprints.of(new Int32Array(0), 0, 0);
    this.#system = system;
    this.#automaton = automaton;
    this.#memo = memoise ? new StepMemo(system, automaton, undefined, this.footprints) : undefined;
  }

  /** Runs the pending step of a node, of which `machine.current` is the agent, and the check after it. */
  step(node: Node): Node {
    const { machine, check } = this.#system;
    if (this.#memo !== undefined) {
      const next = this.#memo.step(node);
      this.footprint = this.#memo.footprint as Footprint;
      return next;
    }
    const { store } = machine;
    store.startRecording(true);
    node.wait?.ready();
    const next = this.#automaton.next(node, node.run());
    check?.();
    store.stopRecording();
    this.footprint = this.footprints.recorded(store);
    return next;
  }
}
