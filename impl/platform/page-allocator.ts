import type { Machine } from '../../engine/machine.ts';
import { releaseOrder } from '../../engine/memory-order/barriers.ts';
import { FRAME_BYTES, type Memory, type MemoryRegion } from './memory.ts';

/**
 * Pages of one region of memory for page tables, queues and structures (`alloc_pages`, `free_pages`). The lowest free
 * page is given out first, since early reuse is what exposes a page that was freed too soon.
 */
export class PageAllocator {
  /** Size of a page in bytes: 4 KiB, or that of a larger translation granule. */
  readonly pageBytes: number;
  readonly #machine: Machine;
  readonly #memory: Memory;
  readonly #base: number;
  readonly #pages: number;
  readonly #used: number;

  constructor(machine: Machine, memory: Memory, region: MemoryRegion, pageBytes = FRAME_BYTES) {
    this.pageBytes = pageBytes;
    this.#machine = machine;
    this.#memory = memory;
    this.#base = region.base;
    this.#pages = Math.floor((region.frames * FRAME_BYTES) / pageBytes);
    this.#used = machine.store.reserve(this.#pages, 'page allocator', (page, used) => {
      const pa = (this.#base + page * pageBytes).toString(16);
      return `page 0x${pa} ${used === 1 ? 'allocated' : 'free'}`;
    });
  }

  /**
   * Allocates a zeroed page inside a step. Returns its physical address, or 0 when there is none (as -ENOMEM). The zeros
   * are plain stores: who links the page must order them before the link.
   */
  alloc(): number {
    const { store } = this.#machine;
    for (let page = 0; page < this.#pages; page++) {
      if (store.get(this.#used + page) !== 0) continue;
      store.set(this.#used + page, 1);
      const pa = this.#base + page * this.pageBytes;
      this.#memory.clear(pa, this.pageBytes);
      return pa;
    }
    return 0;
  }

  /**
   * Allocates `count` (a power of two) zeroed pages in a row, at a multiple of their size, inside a step
   * (`alloc_pages_exact`). Returns the first one's physical address, or 0.
   */
  allocRun(count: number): number {
    const { store } = this.#machine;
    const bytes = count * this.pageBytes;
    const skew = (this.#base / this.pageBytes) % count;
    for (let first = (count - skew) % count; first + count <= this.#pages; first += count) {
      const run = Array.from({ length: count }, (_, index) => this.#used + first + index);
      if (run.some((cell) => store.get(cell) !== 0)) continue;
      for (const cell of run) store.set(cell, 1);
      const pa = this.#base + first * this.pageBytes;
      this.#memory.clear(pa, bytes);
      return pa;
    }
    return 0;
  }

  /**
   * Gives a page back inside a step; its content stays until it is allocated again. Freeing twice is a failure. The
   * allocator's lock orders what its last owner stored before whatever the next one does.
   */
  free(pa: number): void {
    const { store } = this.#machine;
    releaseOrder(this.#machine);
    const page = (pa - this.#base) / this.pageBytes;
    if (!Number.isInteger(page) || page < 0 || page >= this.#pages)
      throw new RangeError(`0x${pa.toString(16)} is no page of this allocator`);
    if (store.get(this.#used + page) === 1) store.set(this.#used + page, 0);
    else
      this.#machine.fail({
        monitor: 'safety',
        rule: 'double-free',
        message: `${this.#machine.agentName(this.#machine.current)} frees page 0x${pa.toString(16)}, which is free.`,
        data: { kind: 'page' },
      });
  }

  /** Number of pages in use: what quiescence checks compare. */
  get allocated(): number {
    let count = 0;
    for (let page = 0; page < this.#pages; page++) count += this.#machine.store.get(this.#used + page);
    return count;
  }
}
