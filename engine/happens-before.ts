import type { Node } from './automaton.ts';
import type { Footprint } from './footprint.ts';
import { mixHigh, mixLow } from './hash.ts';
import { AGENTS_MAX } from './machine.ts';

/** Words for each cell: hash of the step that wrote it last, and the sum of those that have read it since. */
const WORDS = 4;
const WROTE = 0x57a7e;
const READ = 0x2ead;

/**
 * Fingerprint of the happens-before relation of a run: equal for two schedules of one program if and only if one becomes the
 * other by swapping neighbouring steps that are independent (but for collisions of 64-bit hashes). Runs with the same one
 * are the same Mazurkiewicz trace (Mazurkiewicz, "Trace theory", 1987) and reach the same state.
 *
 * A step's hash is made from its agent's local state and from the hashes of the steps that it depends on directly: the one
 * before it of its agent, the last write to each cell that it touches, and for a cell that it writes the reads since. The
 * fingerprint is the sum over the steps, so that their order counts only where one has seen the other.
 *
 * What a step touches is what its wait reads, too: so an unlock happens before the lock that it makes possible.
 */
export class HappensBefore {
  /** Lanes of the fingerprint of the steps since `begin`. */
  low = 0;
  high = 0;
  readonly #agents = new Int32Array(AGENTS_MAX * 2);
  #cells = new Int32Array(64 * WORDS);
  /** For each cell, the run in which its words were written. */
  #runOf = new Int32Array(64);
  #run = 0;

  /** Starts a run. */
  begin(): void {
    this.low = 0;
    this.high = 0;
    this.#agents.fill(0);
    this.#run++;
  }

  /** Takes in a step that was made at `node`, and the check after it. */
  step(node: Node, { cells, written }: Footprint): void {
    const agent = node.agent * 2;
    let low = mixLow(node.low, this.#agents[agent] as number);
    let high = mixHigh(node.high, this.#agents[agent + 1] as number);
    for (let index = 0; index < cells.length; index++) {
      const at = this.#wordsOf(cells[index] as number);
      const words = this.#cells;
      low = (low + mixLow(words[at] as number, WROTE)) | 0;
      high = (high + mixHigh(words[at + 1] as number, WROTE)) | 0;
      if (index >= written) continue;
      low = (low + mixLow(words[at + 2] as number, READ)) | 0;
      high = (high + mixHigh(words[at + 3] as number, READ)) | 0;
    }
    low = mixLow(low, WROTE);
    high = mixHigh(high, READ);
    this.#note(cells, written, low, high);
    this.#agents[agent] = low;
    this.#agents[agent + 1] = high;
    this.low = (this.low + low) | 0;
    this.high = (this.high + high) | 0;
  }

  /** Makes the step with this hash the last one to write what it wrote, and one more that has read the rest. */
  #note(cells: Int32Array, written: number, low: number, high: number): void {
    const words = this.#cells;
    for (let index = 0; index < cells.length; index++) {
      const at = (cells[index] as number) * WORDS;
      if (index < written) {
        words[at] = low;
        words[at + 1] = high;
        words[at + 2] = 0;
        words[at + 3] = 0;
      } else {
        words[at + 2] = ((words[at + 2] as number) + low) | 0;
        words[at + 3] = ((words[at + 3] as number) + high) | 0;
      }
    }
  }

  /** Where the words of a cell stand; they are those of this run. */
  #wordsOf(cell: number): number {
    if (cell >= this.#runOf.length) this.#grow(cell);
    const at = cell * WORDS;
    if (this.#runOf[cell] !== this.#run) {
      this.#runOf[cell] = this.#run;
      for (let word = at; word < at + WORDS; word++) this.#cells[word] = 0;
    }
    return at;
  }

  #grow(cell: number): void {
    const runOf = new Int32Array(cell * 2);
    runOf.set(this.#runOf);
    this.#runOf = runOf;
    const words = new Int32Array(cell * 2 * WORDS);
    words.set(this.#cells);
    this.#cells = words;
  }
}
