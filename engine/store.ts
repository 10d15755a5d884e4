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

  /** While true, `get` records the cells read in `reads` (0 … `readCount`-1, duplicates included). */
  recording = false;
  reads: Int32Array = new Int32Array(256);
  readCount = 0;

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

  /** Value of a cell, as a signed 32-bit integer. */
  get(cell: number): number {
    if (this.recording) this.#recordRead(cell);
    return this.cells[cell] as number;
  }

  /** Writes a cell (32 bits; wider values are truncated). Writing the value that is there leaves no trace. */
  set(cell: number, value: number): void {
    const old = this.cells[cell] as number;
    const next = value | 0;
    if (old === next) return;
    const at = this.logLength;
    if (at === this.logCell.length) this.#growLog();
    this.logCell[at] = cell;
    this.logOld[at] = old;
    this.logNew[at] = next;
    this.logLength = at + 1;
    this.cells[cell] = next;
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
    const grow = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.logCell = grow(this.logCell);
    this.logOld = grow(this.logOld);
    this.logNew = grow(this.logNew);
  }

  #recordRead(cell: number): void {
    if (this.readCount === this.reads.length) {
      const grown = new Int32Array(this.reads.length * 2);
      grown.set(this.reads);
      this.reads = grown;
    }
    this.reads[this.readCount++] = cell;
  }
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
