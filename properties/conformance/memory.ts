/** Physical memory of a conformance world: sparse, in pages of 4 KiB, with a record of what was touched. */

const pageBytes = 4096;

/** Memory as the architecture model reads it; addresses are physical, words are two signed 32-bit lanes. */
export class SparseMemory {
  readonly #base: number;
  readonly #end: number;
  readonly #pages = new Map<number, Int32Array>();

  /** @param base first address; `bytes` long. Outside of it nothing is present. */
  constructor(base: number, bytes: number) {
    this.#base = base;
    this.#end = base + bytes;
  }

  /** Whether there is memory at an address. */
  present(pa: number): boolean {
    return pa >= this.#base && pa < this.#end;
  }

  /** Low lane of the 64-bit word at `pa` (a multiple of 8). */
  low(pa: number): number {
    const page = this.#pages.get(Math.floor(pa / pageBytes));
    return page === undefined ? 0 : (page[(pa % pageBytes) >>> 2] as number);
  }

  /** High lane of the 64-bit word at `pa`. */
  high(pa: number): number {
    const page = this.#pages.get(Math.floor(pa / pageBytes));
    return page === undefined ? 0 : (page[((pa % pageBytes) >>> 2) + 1] as number);
  }

  /** Makes every word zero. */
  clear(): void {
    this.#pages.clear();
  }

  /** Writes a 64-bit word. */
  store(pa: number, low: number, high: number): void {
    const number = Math.floor(pa / pageBytes);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Int32Array(pageBytes / 4);
      this.#pages.set(number, page);
    }
    const at = (pa % pageBytes) >>> 2;
    page[at] = low;
    page[at + 1] = high;
  }
}
