import { printOfKey, printOfResult, printOfStart, type Node } from '../automaton.ts';
import { mixHigh, mixLow, type Lanes } from '../hash.ts';
import type { Result, Step } from '../step.ts';
import type { Store } from '../store.ts';
import type { Renaming } from '../symmetry.ts';

/** Most rows of a table of cells. */
const ROWS_MAX = 1 << 15;

/**
 * What a cell with its value adds to the fingerprint of the state at hand under each renaming. A row has lane 0 of each
 * renaming, then lane 1 of each. Renamings are asked once for each cell and value; then a write costs two rows.
 */
export class CellImages {
  /** Rows, one after the other; the first is for what is not kept. */
  rows: Int32Array<ArrayBuffer>;
  readonly #store: Store;
  readonly #renamings: readonly Renaming[];
  /** For each renaming, where each cell goes. */
  readonly #places: readonly Int32Array[];
  readonly #width: number;
  readonly #rowsMax: number;
  /** Open addressing: number of a row, 0: free. */
  #index = new Int32Array(1 << 9);
  /** For each row, its cell and value. */
  #keys = new Int32Array(1 << 9);
  #count = 1;

  /** @param rowsMax rows that are kept; what comes up later is worked out each time. */
  constructor(store: Store, renamings: readonly Renaming[], rowsMax = ROWS_MAX) {
    this.#store = store;
    this.#rowsMax = rowsMax;
    this.#renamings = renamings;
    this.#places = renamings.map(({ cell: place }) =>
      Int32Array.from({ length: store.size }, (_, cell) => place?.(cell) ?? cell),
    );
    this.#width = renamings.length * 2;
    this.rows = new Int32Array(this.#width << 8);
  }

  /** Where the row of a cell with a value other than 0 begins; it may be overwritten at the next call. */
  row(cell: number, value: number): number {
    // What cells stand for may not have been said yet when a renaming leads to them.
    if (this.#store.identities !== undefined) return this.#fill(0, cell, value);
    const index = this.#index;
    const keys = this.#keys;
    const mask = index.length - 1;
    let at = hash(cell, value) & mask;
    for (let row; (row = index[at] as number) !== 0; at = (at + 1) & mask)
      if (keys[row * 2] === cell && keys[row * 2 + 1] === value) return row * this.#width;
    if (this.#count >= this.#rowsMax) return this.#fill(0, cell, value);
    const row = this.#count++;
    index[at] = row;
    keys[row * 2] = cell;
    keys[row * 2 + 1] = value;
    if (this.#count * 2 >= index.length) this.#grow();
    return this.#fill(row * this.#width, cell, value);
  }

  /** The first cell that makes the state at hand another one than its renaming, or -1. */
  differsAt(which: number): number {
    const { cells } = this.#store;
    const places = this.#places[which] as Int32Array;
    const taken = new Uint8Array(places.length);
    for (const [cell, to] of places.entries()) {
      if (taken[to] === 1 || cells[to] !== this.#value(which, cell, cells[cell] as number)) return cell;
      taken[to] = 1;
    }
    return -1;
  }

  #fill(base: number, cell: number, value: number): number {
    const { identities } = this.#store;
    const renamings = this.#renamings.length;
    for (let which = 0; which < renamings; which++) {
      const to = (this.#places[which] as Int32Array)[cell] as number;
      const renamed = this.#value(which, cell, value);
      this.rows[base + which] = identities === undefined ? mixLow(to, renamed) : identities.low(to, renamed);
      this.rows[base + renamings + which] =
        identities === undefined ? mixHigh(to, renamed) : identities.high(to, renamed);
    }
    return base;
  }

  #value(which: number, cell: number, value: number): number {
    const rename = (this.#renamings[which] as Renaming).value;
    return value === 0 || rename === undefined ? value : rename(cell, value) | 0;
  }

  #grow(): void {
    const size = this.#index.length * 2;
    this.#index = new Int32Array(size);
    this.#keys = longer(this.#keys, size);
    this.rows = longer(this.rows, (size / 2) * this.#width);
    for (let row = 1; row < this.#count; row++) {
      let at = hash(this.#keys[row * 2] as number, this.#keys[row * 2 + 1] as number) & (size - 1);
      while (this.#index[at] !== 0) at = (at + 1) & (size - 1);
      this.#index[at] = row;
    }
  }
}

/** The same for local states: a row for each node, by its id. */
export class NodeImages {
  rows: Int32Array<ArrayBuffer>;
  readonly #renamings: readonly Renaming[];
  /** For each node, 1 if its row is there. */
  #known = new Uint8Array(1 << 8);

  constructor(renamings: readonly Renaming[]) {
    this.#renamings = renamings;
    this.rows = new Int32Array((renamings.length * 2) << 8);
  }

  /** Where the row of a node begins. */
  row(node: Node): number {
    const { id } = node;
    if (this.#known[id] !== 1) this.#make(node);
    return id * this.#renamings.length * 2;
  }

  #make(node: Node): void {
    const { id, parent } = node;
    if (node.key === undefined && parent !== undefined) this.row(parent);
    const renamings = this.#renamings.length;
    if (id >= this.#known.length) {
      const size = Math.max(id + 1, this.#known.length * 2);
      this.rows = longer(this.rows, size * renamings * 2);
      const known = new Uint8Array(size);
      known.set(this.#known);
      this.#known = known;
    }
    this.#known[id] = 1;
    for (const [which, renaming] of this.#renamings.entries()) {
      const { low, high } = this.#print(node, which, renaming);
      this.rows[id * renamings * 2 + which] = low;
      this.rows[id * renamings * 2 + renamings + which] = high;
    }
  }

  #print({ agent, operation, key, parent, result }: Node, which: number, renaming: Renaming): Lanes {
    const renamings = this.#renamings.length;
    const place = renaming.agents[agent] as number;
    if (key !== undefined) return printOfKey(place, operation, renaming.key?.(key, agent) ?? key);
    if (parent === undefined) return printOfStart(place, operation);
    const received = result as Result;
    const renamed = renaming.result === undefined ? received : renaming.result(received, parent.step as Step, agent);
    const at = parent.id * renamings * 2 + which;
    return printOfResult({ low: this.rows[at] as number, high: this.rows[at + renamings] as number }, renamed);
  }
}

function hash(cell: number, value: number): number {
  const mixed = Math.imul(cell, 0x9e3779b1) ^ Math.imul(value, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

/** The same words with room for more. */
export function longer(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}
