import { HarnessError } from '../../engine/failure.ts';
import type { Machine } from '../../engine/machine.ts';
import { hex } from './format.ts';

const FREE = 0;
const MAPPED = 1;
const BUSY = 2;

/** What a caller is about to take away. */
export type Claim = 'none' | 'pages' | 'block' | 'table';

/**
 * What callers know of their own mappings. The IOMMU API leaves it to the caller not to map what is mapped, nor to
 * unmap one page twice at a time; here each caller first claims the pages, and an operation that cannot apply is
 * rejected quietly. Everything is called inside a step.
 *
 * A page is free, mapped or busy; a block (what one entry of the last but one level covers) likewise, where *busy*
 * keeps all of its pages from other callers.
 */
export class PageOwnership {
  readonly #machine: Machine;
  readonly #pages: readonly number[];
  readonly #blocks: readonly number[];
  readonly #blockBytes: number;
  readonly #pageBytes: number;
  readonly #base: number;
  readonly #stride: number;

  /** @param pages addresses of the pages of a world; every space has the same. */
  constructor(machine: Machine, spaces: number, pages: readonly number[], pageBytes: number, blockBytes: number) {
    this.#machine = machine;
    this.#pages = pages;
    this.#pageBytes = pageBytes;
    this.#blockBytes = blockBytes;
    this.#blocks = [...new Set(pages.map((page) => page - (page % blockBytes)))];
    this.#stride = pages.length + this.#blocks.length;
    this.#base = machine.store.reserve(spaces * this.#stride, 'page ownership');
  }

  /** Claims a range for a new mapping: pages that are free, or a whole block of which no page is mapped. */
  claimMap(space: number, iova: number, size: number): boolean {
    if (size === this.#blockBytes) {
      if (
        this.#get(this.#block(space, iova)) !== FREE ||
        !this.#pagesOf(space, iova).every((page) => this.#is(page, FREE))
      )
        return false;
      this.#set(this.#block(space, iova), BUSY);
      return true;
    }
    return this.#claimPages(space, iova, size, FREE);
  }

  /** Claims a range for removal. A block is taken as a `block`, or as a `table` of pages of which some are mapped. */
  claimUnmap(space: number, iova: number, size: number): Claim {
    if (size !== this.#blockBytes) return this.#claimPages(space, iova, size, MAPPED) ? 'pages' : 'none';
    const block = this.#block(space, iova);
    const state = this.#get(block);
    const pages = this.#pagesOf(space, iova);
    if (state === BUSY || pages.some((page) => this.#is(page, BUSY))) return 'none';
    if (state === FREE && !pages.some((page) => this.#is(page, MAPPED))) return 'none';
    this.#set(block, BUSY);
    return state === MAPPED ? 'block' : 'table';
  }

  /** Claims a mapped block as a whole. */
  claimBlock(space: number, iova: number): boolean {
    const block = this.#block(space, iova);
    if (this.#get(block) !== MAPPED) return false;
    this.#set(block, BUSY);
    return true;
  }

  /**
   * Claims one mapped page for removal, and with it the whole block if no other page of it is mapped: then its table
   * goes too (`table`).
   */
  claimLastPage(space: number, iova: number): Claim {
    if (!this.#claimPages(space, iova, this.#pageBytes, MAPPED)) return 'none';
    const own = this.#page(space, iova);
    if (!this.#pagesOf(space, iova).every((page) => page === own || this.#is(page, FREE))) return 'pages';
    this.#set(this.#block(space, iova), BUSY);
    return 'table';
  }

  /** Ends a claim: the range is now mapped, or free. */
  settle(space: number, iova: number, size: number, mapped: boolean): void {
    const state = mapped ? MAPPED : FREE;
    if (size === this.#blockBytes) {
      this.#set(this.#block(space, iova), state);
      for (const page of this.#pagesOf(space, iova)) this.#set(page, FREE);
    } else {
      for (let page = iova; page < iova + size; page += this.#pageBytes) this.#set(this.#page(space, page), state);
      // A claim of the last page holds its block as well.
      const block = this.#block(space, iova);
      if (this.#is(block, BUSY)) this.#set(block, FREE);
    }
  }

  /** Ends a claim of a block that was split: each of its pages is now mapped by itself. */
  settleSplit(space: number, iova: number): void {
    this.#set(this.#block(space, iova), FREE);
    for (const page of this.#pagesOf(space, iova)) this.#set(page, MAPPED);
  }

  /** Forgets all mappings of a space: it was torn down. */
  reset(space: number): void {
    for (let at = 0; at < this.#stride; at++) this.#set(this.#base + space * this.#stride + at, FREE);
  }

  #claimPages(space: number, iova: number, size: number, from: number): boolean {
    if (size % this.#pageBytes !== 0 || iova % this.#pageBytes !== 0)
      throw new HarnessError(`${hex(iova)}+${hex(size)} is no range of pages`);
    for (let page = iova; page < iova + size; page += this.#pageBytes)
      if (!this.#is(this.#page(space, page), from) || !this.#is(this.#block(space, page), FREE)) return false;
    for (let page = iova; page < iova + size; page += this.#pageBytes) this.#set(this.#page(space, page), BUSY);
    return true;
  }

  #page(space: number, iova: number): number {
    const at = this.#pages.indexOf(iova);
    if (at < 0) throw new HarnessError(`page ${hex(iova)} is not one of the pages of this world`);
    return this.#base + space * this.#stride + at;
  }

  #block(space: number, iova: number): number {
    const at = this.#blocks.indexOf(iova - (iova % this.#blockBytes));
    if (at < 0) throw new HarnessError(`no page of this world lies in the block of ${hex(iova)}`);
    return this.#base + space * this.#stride + this.#pages.length + at;
  }

  #pagesOf(space: number, iova: number): number[] {
    const block = iova - (iova % this.#blockBytes);
    const inside = this.#pages.filter((page) => page - (page % this.#blockBytes) === block);
    return inside.map((page) => this.#page(space, page));
  }

  #is(cell: number, state: number): boolean {
    return this.#get(cell) === state;
  }

  #get(cell: number): number {
    return this.#machine.store.get(cell);
  }

  #set(cell: number, state: number): void {
    this.#machine.store.set(cell, state);
  }
}
