import type { Store } from '../../engine/store.ts';

/** A run of real memory: physical byte address of its first byte and number of frames of 4 KiB. */
export interface MemoryRegion {
  readonly base: number;
  readonly frames: number;
}

/** Size in bytes of a frame of `MemoryRegion`. */
export const FRAME_BYTES = 4096;

const LANES_PER_FRAME = FRAME_BYTES / 4;

interface Bank {
  readonly base: number;
  readonly end: number;
  /** Store cell of the first lane. */
  readonly cells: number;
}

/** Memory as somebody sees it: 64-bit words, each read and written as two 32-bit lanes within one step. */
export abstract class Memory {
  /** Low lane of the 64-bit word at `pa` (a multiple of 8), as a signed number. */
  abstract low(pa: number): number;
  /** High lane of the 64-bit word at `pa` (a multiple of 8), as a signed number. */
  abstract high(pa: number): number;
  /** Writes the 64-bit word at `pa` (a multiple of 8), inside a step. */
  abstract writeWord(pa: number, low: number, high: number): void;
  /**
   * Begins an atomic read-modify-write of the word at `pa`, which acts on memory at once: what the CPU has stored and must
   * be there first is (`StoreBuffers.settle`).
   */
  abstract settle(pa: number): void;
  /** The store of an atomic read-modify-write, in the same step as its `settle` and its reads. */
  abstract exchangeWord(pa: number, low: number, high: number): void;

  /** Writes consecutive words, given as lanes, inside a step. */
  writeWords(pa: number, lanes: ArrayLike<number>): void {
    for (let at = 0; at < lanes.length; at += 2)
      this.writeWord(pa + 4 * at, lanes[at] as number, lanes[at + 1] as number);
  }

  /** The lanes of `words` consecutive 64-bit words. */
  readWords(pa: number, words: number): number[] {
    const lanes: number[] = [];
    for (let word = 0; word < words; word++) lanes.push(this.low(pa + 8 * word), this.high(pa + 8 * word));
    return lanes;
  }

  /** Writes zeros over `bytes` from `pa`, inside a step; both are multiples of 8. */
  clear(pa: number, bytes: number): void {
    for (let at = pa; at < pa + bytes; at += 8) if (this.low(at) !== 0 || this.high(at) !== 0) this.writeWord(at, 0, 0);
  }
}

/**
 * Simulated physical memory, sparse: a few regions of real-looking addresses, every 32-bit lane a cell of the store. A word
 * is written within one step, which makes it single-copy atomic as on arm64. This is what devices see.
 */
export class PhysicalMemory extends Memory {
  readonly #store: Store;
  readonly #banks: readonly Bank[];
  readonly #observers: ((pa: number) => void)[] = [];
  /** Most worlds have one region: it is tried without a loop. */
  readonly #first: Bank;

  /** @param regions must not overlap; `base` is a multiple of 4 KiB. */
  constructor(store: Store, regions: readonly MemoryRegion[]) {
    super();
    this.#store = store;
    this.#banks = regions.map(({ base, frames }) => ({
      base,
      end: base + frames * FRAME_BYTES,
      cells: store.reserve(frames * LANES_PER_FRAME, `memory 0x${base.toString(16)}`),
    }));
    const [first] = this.#banks;
    if (first === undefined) throw new RangeError('a physical memory needs at least one region');
    this.#first = first;
  }

  /** True if there is memory at a physical address. */
  present(pa: number): boolean {
    return this.#bank(pa) !== undefined;
  }

  low(pa: number): number {
    return this.#store.get(this.cellOf(pa));
  }

  high(pa: number): number {
    return this.#store.get(this.cellOf(pa) + 1);
  }

  /** Observers hear of it if it changed. */
  writeWord(pa: number, low: number, high: number): void {
    const store = this.#store;
    const cell = this.cellOf(pa);
    const before = store.logLength;
    store.set(cell, low);
    store.set(cell + 1, high);
    if (store.logLength !== before) for (const observer of this.#observers) observer(pa);
  }

  settle(): void {
    // Nothing is pending here.
  }

  exchangeWord(pa: number, low: number, high: number): void {
    this.writeWord(pa, low, high);
  }

  /** Calls `observer` after each write that changes a word, with the word's address: how a device follows memory. */
  onWrite(observer: (pa: number) => void): void {
    this.#observers.push(observer);
  }

  #bank(pa: number): Bank | undefined {
    const first = this.#first;
    if (pa >= first.base && pa < first.end) return first;
    return this.#banks.find((bank) => pa >= bank.base && pa < bank.end);
  }

  /** Store cell of the low lane of the word at `pa`. */
  cellOf(pa: number): number {
    const bank = this.#bank(pa);
    if (bank === undefined || pa % 8 !== 0) throw new RangeError(`no 64-bit word of memory at 0x${pa.toString(16)}`);
    return bank.cells + (pa - bank.base) / 4;
  }

  /** Address of the word whose low lane is a cell; -1 if the cell is no part of memory. */
  addressOf(cell: number): number {
    const bank = this.#banks.find(({ base, end, cells }) => cell >= cells && cell < cells + (end - base) / 4);
    return bank === undefined ? -1 : bank.base + (cell - bank.cells) * 4;
  }
}
