import { mixLow } from './hash.ts';
import type { Store } from './store.ts';

/** The cells (or other resources) that a step touches. Made by `Footprints`: one object for each different footprint. */
export interface Footprint {
  /** Index among the footprints of its table. */
  readonly id: number;
  /** Cells touched, each once; those written come first. */
  readonly cells: Int32Array;
  /** Number of cells written. */
  readonly written: number;
}

/** Most footprints for which it is remembered which pairs are dependent; the others are compared each time. */
const REMEMBERED_MAX = 4096;

/** Marks are words of 32 bits. */
const ROUND_MAX = 2 ** 30;

const UNKNOWN = 0;
const DEPENDENT = 2;

/**
 * The different footprints of the steps of a program: few, so that each is kept once, and for each pair it is worked out
 * once whether steps with them are dependent: whether one writes a cell that the other touches.
 */
export class Footprints {
  readonly #all: Footprint[] = [];
  readonly #byHash = new Map<number, Footprint[]>();
  /** For each footprint, and each one with a lower id: `UNKNOWN`, 1 or `DEPENDENT`. */
  readonly #pairs: Uint8Array[] = [];
  #scratch = new Int32Array(64);
  /** For each cell, the last round in which it was marked, doubled; plus 1 if it was marked as written. */
  #marks = new Int32Array(64);
  #round = 0;

  /** Number of different footprints. */
  get size(): number {
    return this.#all.length;
  }

  /**
   * The footprint with these cells.
   *
   * @param cells 0 … `count`-1: numbers of cells (small ones: memory is set aside up to the highest), none twice; the first
   *   `written` are those written.
   */
  of(cells: Int32Array, count: number, written: number): Footprint {
    let hash = written;
    for (let at = 0; at < count; at++) hash = mixLow(hash, cells[at] as number);
    const known = this.#byHash.get(hash);
    if (known !== undefined)
      for (let at = 0; at < known.length; at++) {
        const candidate = known[at] as Footprint;
        if (candidate.written === written && isPrefix(candidate.cells, cells, count)) return candidate;
      }
    const made: Footprint = { id: this.#all.length, cells: cells.slice(0, count), written };
    this.#all.push(made);
    this.#pairs.push(new Uint8Array(made.id < REMEMBERED_MAX ? made.id + 1 : 0));
    if (known === undefined) this.#byHash.set(hash, [made]);
    else known.push(made);
    return made;
  }

  /**
   * The footprint of what the store has recorded since `startRecording(true)`. Written is a cell whose value is another one
   * than before: a write that changes nothing, or that is taken back within the step, counts as a read.
   */
  recorded(store: Store): Footprint {
    const { cells, reads, readValues, readCount } = store;
    if (this.#scratch.length < readCount) this.#scratch = new Int32Array(readCount * 2);
    const scratch = this.#scratch;
    let written = 0;
    let last = readCount;
    for (let at = 0; at < readCount; at++) {
      const cell = reads[at] as number;
      if (cells[cell] === readValues[at]) scratch[--last] = cell;
      else scratch[written++] = cell;
    }
    return this.of(scratch, readCount, written);
  }

  /** True if steps with these footprints do not commute: one of them writes what the other one touches. */
  dependent(one: Footprint, other: Footprint): boolean {
    const low = Math.min(one.id, other.id);
    const high = Math.max(one.id, other.id);
    if (high >= REMEMBERED_MAX) return this.#meet(one, other);
    const row = this.#pairs[high] as Uint8Array;
    if (row[low] === UNKNOWN) row[low] = this.#meet(one, other) ? DEPENDENT : 1;
    return row[low] === DEPENDENT;
  }

  #meet(one: Footprint, other: Footprint): boolean {
    if (this.#round === ROUND_MAX) {
      this.#marks.fill(0);
      this.#round = 0;
    }
    const round = (this.#round += 2);
    for (let at = 0; at < one.cells.length; at++) {
      const cell = one.cells[at] as number;
      if (cell >= this.#marks.length) this.#growMarks(cell);
      this.#marks[cell] = at < one.written ? round + 1 : round;
    }
    for (let at = 0; at < other.cells.length; at++) {
      const mark = this.#marks[other.cells[at] as number];
      if (mark === round + 1 || (mark === round && at < other.written)) return true;
    }
    return false;
  }

  #growMarks(cell: number): void {
    const grown = new Int32Array(cell * 2);
    grown.set(this.#marks);
    this.#marks = grown;
  }
}

function isPrefix(whole: Int32Array, of: Int32Array, count: number): boolean {
  if (whole.length !== count) return false;
  for (let at = 0; at < count; at++) if (whole[at] !== of[at]) return false;
  return true;
}
