import type { Node } from '../automaton.ts';
import type { Footprint } from '../footprint.ts';

/** Local states that a pair can name; those beyond share numbers. */
const NODES_MAX = 1 << 20;
const INITIAL = NODES_MAX;

/**
 * Which local state has read (or overwritten) what which other one wrote, over the runs of one program. A pair that no
 * earlier run showed is a sign of a schedule that is really new, where a new happens-before trace is hardly one: in all
 * but the smallest programs nearly every run shows a new trace.
 */
export class ReadsFrom {
  readonly #pairs = new Set<number>();
  /** For each cell, the local state that wrote it last. */
  readonly #writer = new Map<number, number>();

  /** A run begins. */
  begin(): void {
    this.#writer.clear();
  }

  /** Takes in a step; true if it shows a pair that was not seen before. */
  step(node: Node, { cells, written }: Footprint): boolean {
    const before = this.#pairs.size;
    const id = node.id & (NODES_MAX - 1);
    for (let at = 0; at < cells.length; at++) {
      const cell = cells[at] as number;
      const pair = (this.#writer.get(cell) ?? INITIAL) * NODES_MAX + id;
      this.#pairs.add(pair);
      if (at < written) this.#writer.set(cell, id);
    }
    return this.#pairs.size > before;
  }
}
