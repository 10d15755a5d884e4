import { Identities, type Meaning } from './identities.ts';

/**
 * The store: every bit of shared state of a world, as 32-bit cells.
 *
 * One flat array, because three things then come for free: stepping back (the undo log), a fingerprint of the state
 * (Zobrist: the xor over cells of a mix of cell and value, so it is updated from the undo log alone), and the
 * footprint of a step (what it read and wrote), on which explanations and partial-order reduction rest.
 *
 * A cell that holds 0 contributes nothing to the fingerprint: reserving a large memory costs nothing until it is used.
 */
export class Store {
  /** The cells. Read through `get` or a region of your own; never write except through `set`. */
  cells: Int32Array;
  /** Number of cells reserved so far. */
  size = 0;

  /** Undo log: cell, value before, value after, one entry for each effective write. */
  logCell: Int32Array = new Int32Array(1 << 12);
  logOld: Int32Array = new Int32Array(1 << 12);
  logNew: Int32Array = new Int32Array(1 << 12);
  /** Number of entries in the undo log. */
  logLength = 0;

  /**
   * Footprint of what ran since both were last set to 0, as bits (`1 << (cell mod 32)`, so two cells may share one): cells
   * read or written, and cells written. Two steps whose `touched` and `written` do not meet commute.
   */
  touched = 0;
  written = 0;

  /** While true, `get` records the cells read; see `startRecording`. */
  recording = false;
  /** Cells read while recording, each once, in the order of first use (0 … `readCount`-1), and their values then. */
  reads: Int32Array = new Int32Array(256);
  readValues: Int32Array = new Int32Array(256);
  readCount = 0;
  /** Cells to which a write counts as a read of what it overwrites; see `startRecording`. */
  #recordingWrites = false;
  /** For each cell, the recording in which it was used last. */
  #usedIn = new Int32Array(0);
  #recordings = 0;

  /**
   * Changes when lists outside the store have grown over which steps iterate (interned things, each with a cell of its
   * own that was 0 before): what a step reads may then be more than it was with the same values. See `StepMemo`.
   */
  epoch = 0;

  /** What cells and values stand for, where that is not their number; undefined: all stand for themselves. */
  identities: Identities | undefined;

  readonly #regions: Region[] = [];

  /** @param capacity initial number of cells; grows as regions are reserved. */
  constructor(capacity = 1 << 12) {
    this.cells = new Int32Array(capacity);
  }

  /**
   * Reserves `length` consecutive cells, all 0. Only while a world is laid out, never in a step.
   *
   * @param format how a value is shown in a report (given the offset within the region); a region without one is
   *   internal and does not appear in the state column.
   * @returns the first cell.
   */
  reserve(length: number, name: string, format?: CellFormat): number {
    const base = this.size;
    this.size += length;
    if (this.size > this.cells.length) {
      const grown = new Int32Array(Math.max(this.size, this.cells.length * 2));
      grown.set(this.cells);
      this.cells = grown;
    }
    this.#regions.push(format === undefined ? { base, length, name } : { base, length, name, format });
    return base;
  }

  /**
   * Says what a cell stands for that has been given to a thing when the thing came up: fingerprints are made from that,
   * not from the number of the cell.
   *
   * @param content says all that tells the thing from others, in the same words in every world of the same make.
   */
  name(cell: number, content: string): void {
    this.identities ??= new Identities();
    this.identities.name(cell, content);
  }

  /** Says that the values of some cells are numbers of things that have been counted as they came up (1 …; 0 is nothing). */
  mean(base: number, length: number, meaning: Meaning): void {
    this.identities ??= new Identities();
    this.identities.mean(base, length, meaning);
  }

  /** Value of a cell, as a signed 32-bit integer. */
  get(cell: number): number {
    this.touched |= 1 << cell;
    if (this.recording) this.#recordRead(cell);
    return this.cells[cell] as number;
  }

  /** Writes a cell (32 bits; wider values are truncated). Writing the value that is there leaves no trace. */
  set(cell: number, value: number): void {
    const bit = 1 << cell;
    this.touched |= bit;
    if (this.#recordingWrites) this.#recordRead(cell);
    const old = this.cells[cell] as number;
    const next = value | 0;
    if (old === next) return;
    this.written |= bit;
    const at = this.logLength;
    if (at === this.logCell.length) this.#growLog();
    this.logCell[at] = cell;
    this.logOld[at] = old;
    this.logNew[at] = next;
    this.logLength = at + 1;
    this.cells[cell] = next;
  }

  /**
   * Writes many cells at once.
   *
   * @param writes cell, value before and value after in turn: each cell holds its value before, and changes.
   */
  setMany(writes: Int32Array): void {
    const { length } = writes;
    while (this.logLength + length / 3 > this.logCell.length) this.#growLog();
    const { cells, logCell, logOld, logNew } = this;
    let at = this.logLength;
    for (let index = 0; index < length; index += 3, at++) {
      const cell = writes[index] as number;
      logCell[at] = cell;
      logOld[at] = writes[index + 1] as number;
      cells[cell] = logNew[at] = writes[index + 2] as number;
    }
    this.logLength = at;
  }

  /**
   * Records from now on what is read (`reads`), until `stopRecording`.
   *
   * @param footprint also counts a write as a read of the value that it overwrites: what is recorded then determines
   *   the writes too, undo log included.
   */
  startRecording(footprint = false): void {
    if (this.#usedIn.length < this.size) this.#usedIn = new Int32Array(this.size);
    this.#recordings++;
    this.readCount = 0;
    this.recording = true;
    this.#recordingWrites = footprint;
  }

  /** Ends a recording; `reads` stays as it is. */
  stopRecording(): void {
    this.recording = false;
    this.#recordingWrites = false;
  }

  /**
   * The cells that `body` reads; a recording that is under way does not see them. For debugging: slow.
   *
   * @param ownFootprint as in `startRecording`.
   */
  readsOf(body: () => void, ownFootprint = false): number[] {
    const { recording, readCount } = this;
    const footprint = this.#recordingWrites;
    const outer = { reads: this.reads.slice(0, readCount), values: this.readValues.slice(0, readCount) };
    this.startRecording(ownFootprint);
    body();
    this.stopRecording();
    const inner = [...this.reads.subarray(0, this.readCount)];
    if (!recording) return inner;
    this.startRecording(footprint);
    this.reads.set(outer.reads);
    this.readValues.set(outer.values);
    this.readCount = readCount;
    for (const cell of outer.reads) this.#usedIn[cell] = this.#recordings;
    return inner;
  }

  /** A point to come back to with `rollback`. */
  mark(): number {
    return this.logLength;
  }

  /** Undoes every write made since `mark`. */
  rollback(mark: number): void {
    const { cells, logCell, logOld } = this;
    for (let at = this.logLength - 1; at >= mark; at--) cells[logCell[at] as number] = logOld[at] as number;
    this.logLength = mark;
  }

  /** The region that a cell belongs to, and its offset there. */
  locate(cell: number): { region: Region; offset: number } {
    let low = 0;
    let high = this.#regions.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#regions[middle] as Region).base <= cell) low = middle;
      else high = middle - 1;
    }
    const region = this.#regions[low];
    if (region === undefined || cell < region.base || cell >= region.base + region.length)
      throw new Error(`cell ${cell} is in no region of the store`);
    return { region, offset: cell - region.base };
  }

  #growLog(): void {
    this.logCell = doubled(this.logCell);
    this.logOld = doubled(this.logOld);
    this.logNew = doubled(this.logNew);
  }

  #recordRead(cell: number): void {
    if (this.#usedIn[cell] === this.#recordings) return;
    this.#usedIn[cell] = this.#recordings;
    const at = this.readCount++;
    if (at === this.reads.length) {
      this.reads = doubled(this.reads);
      this.readValues = doubled(this.readValues);
    }
    this.reads[at] = cell;
    this.readValues[at] = this.cells[cell] as number;
  }
}

function doubled(from: Int32Array): Int32Array {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}

/** Shows the value of the cell at `offset` of a region, before and after a write. */
export type CellFormat = (offset: number, value: number) => string;

/** A named run of cells. */
export interface Region {
  readonly base: number;
  readonly length: number;
  readonly name: string;
  readonly format?: CellFormat;
}
