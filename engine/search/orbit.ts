import type { Node } from '../automaton.ts';
import { HarnessError } from '../failure.ts';
import { mixHigh, mixLow, scatter, type Lanes } from '../hash.ts';
import { AGENTS_MAX } from '../machine.ts';
import type { Store } from '../store.ts';
import type { Renaming } from '../symmetry.ts';
import type { System } from '../system.ts';
import { CellImages, longer, NodeImages } from './images.ts';

/**
 * The states that are renamings of the state at hand, by their fingerprints: one of them, the least, stands for all. States
 * themselves are never renamed: a search goes from real states to real states, so its schedules are real ones.
 */
export class Orbit {
  low = 0;
  high = 0;
  /** Number of renamings, and of words that hold two lanes for each. */
  readonly size: number;
  readonly width: number;
  readonly #renamings: readonly Renaming[];
  readonly #store: Store;
  readonly #root: number;
  readonly #cells: CellImages;
  readonly #nodes: NodeImages;
  /**
   * For each length of the undo log since the root, what the writes up to there add to the fingerprints: a row (`CellImages`).
   * So a step back costs nothing here.
   */
  #written: Int32Array;
  /** One lane of each renamed state at hand. */
  readonly #lane: Int32Array;

  /** @throws HarnessError if the state at hand, which is the root, is not its own renaming. */
  constructor({ machine, agents }: System, symmetry: readonly Renaming[], nodes: readonly Node[]) {
    const { store } = machine;
    this.size = symmetry.length;
    this.width = symmetry.length * 2;
    this.#renamings = symmetry;
    this.#store = store;
    this.#root = store.mark();
    this.#cells = new CellImages(store, symmetry);
    this.#nodes = new NodeImages(symmetry);
    this.#written = new Int32Array(this.width << 8);
    this.#lane = new Int32Array(symmetry.length);
    for (const [which, renaming] of symmetry.entries()) {
      if (renaming.agents.length !== agents.length || new Set(renaming.agents).size !== agents.length)
        throw new HarnessError('a renaming is not a permutation of the agents');
      const cell = this.#cells.differsAt(which);
      if (cell >= 0)
        throw new HarnessError(`the first state is not its own renaming: see ${store.locate(cell).region.name}`);
      const wrong = nodes.findIndex((node) => {
        const at = this.#nodes.row(node) + which;
        const other = nodes[this.agent(which, node.agent)];
        return other?.low !== this.#nodes.rows[at] || other?.high !== this.#nodes.rows[at + this.size];
      });
      if (wrong >= 0)
        throw new HarnessError(`${agents[wrong]?.name ?? ''} does not begin as the agent in its place does`);
    }
  }

  /** The agent that takes an agent's place under a renaming; -1 stays. */
  agent(which: number, agent: number): number {
    return agent < 0 ? agent : ((this.#renamings[which] as Renaming).agents[agent] as number);
  }

  /** To be called after each step, with the undo mark before it. */
  absorb(from: number): void {
    const { logCell, logOld, logNew, logLength } = this.#store;
    const cells = this.#cells;
    const { width } = this;
    const written = this.#reach(logLength);
    let to = (from - this.#root) * width;
    for (let at = from; at < logLength; at++) {
      const cell = logCell[at] as number;
      const before = logOld[at] as number;
      const after = logNew[at] as number;
      written.copyWithin(to + width, to, to + width);
      to += width;
      if (before !== 0) toggle(written, to, cells.row(cell, before), cells.rows, width);
      if (after !== 0) toggle(written, to, cells.row(cell, after), cells.rows, width);
    }
  }

  /** Puts what the writes up to the state at hand add into `words` at `at`: `width` words. */
  save(words: Int32Array, at: number): void {
    const from = (this.#store.logLength - this.#root) * this.width;
    for (let word = 0; word < this.width; word++) words[at + word] = this.#written[from + word] as number;
  }

  /** The state at hand, come by in whatever way, is the one that was saved. */
  load(words: Int32Array, at: number): void {
    const { logLength } = this.#store;
    const written = this.#reach(logLength);
    const to = (logLength - this.#root) * this.width;
    for (let word = 0; word < this.width; word++) written[to + word] = words[at + word] as number;
  }

  /** The fingerprint of the state at hand under one renaming. */
  print(which: number, nodes: readonly Node[]): Lanes {
    return { low: this.#lanes(0, nodes)[which] as number, high: this.#lanes(this.size, nodes)[which] as number };
  }

  /**
   * Makes `low` and `high` the fingerprint of the orbit: the least of its states', one to one.
   *
   * @param print fingerprint of the state at hand.
   * @param previous agent whose step led to the state, and `switches` up to there, if they belong to the state (-1: not).
   */
  choose(print: Lanes, nodes: readonly Node[], previous: number, switches: number): void {
    let low = print.low ^ placeLow(previous, switches);
    let high = print.high ^ placeHigh(previous, switches);
    const lane = this.#lanes(0, nodes);
    for (let which = 0; which < lane.length; which++) {
      const other =
        switches < 0
          ? (lane[which] as number)
          : (lane[which] as number) ^ placeLow(this.agent(which, previous), switches);
      if (other > low) continue;
      // Lane 1 is worked out only for what may be the least.
      const highOther = this.#high(which, nodes) ^ placeHigh(this.agent(which, previous), switches);
      if (other === low && highOther >= high) continue;
      low = other;
      high = highOther;
    }
    // What is the least of many is small, and a set that takes lane 0 for a place would crowd it where small ones go.
    this.low = scatter(low);
    this.high = high;
  }

  /** A lane of each renamed state; lane 1 begins at `size`. Good until the next call. */
  #lanes(from: number, nodes: readonly Node[]): Int32Array {
    const lane = this.#lane;
    const { length } = lane;
    const written = this.#written;
    const images = this.#nodes;
    const base = (this.#store.logLength - this.#root) * this.width + from;
    for (let which = 0; which < length; which++) lane[which] = written[base + which] as number;
    for (let agent = 0; agent < nodes.length; agent++)
      toggle(lane, 0, images.row(nodes[agent] as Node) + from, images.rows, length);
    return lane;
  }

  /** Lane 1 under one renaming. */
  #high(which: number, nodes: readonly Node[]): number {
    const images = this.#nodes;
    const lane = this.size + which;
    let high = this.#written[(this.#store.logLength - this.#root) * this.width + lane] as number;
    for (let agent = 0; agent < nodes.length; agent++) {
      const row = images.row(nodes[agent] as Node);
      high ^= images.rows[row + lane] as number;
    }
    return high;
  }

  /** Room for a row at a length of the log. */
  #reach(logLength: number): Int32Array {
    const words = (logLength - this.#root + 1) * this.width;
    if (words > this.#written.length) this.#written = longer(this.#written, Math.max(words, this.#written.length * 2));
    return this.#written;
  }
}

function toggle(into: Int32Array, at: number, row: number, rows: Int32Array, length: number): void {
  for (let word = 0; word < length; word++)
    into[at + word] = (into[at + word] as number) ^ (rows[row + word] as number);
}

/** What the place of a state in a schedule with bounded switches adds to its fingerprint; nothing if `switches` is negative. */
export function placeLow(previous: number, switches: number): number {
  return switches < 0 ? 0 : mixLow(switches * AGENTS_MAX * 2 + previous + 1, 0x51ed270b);
}

/** The other lane of it. */
export function placeHigh(previous: number, switches: number): number {
  return switches < 0 ? 0 : mixHigh(switches * AGENTS_MAX * 2 + previous + 1, 0x51ed270b);
}
