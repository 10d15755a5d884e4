/** A page of a process: at each address it has one of two, by turns, so that an old one is told from the one after it. */
export interface Page {
  readonly mm: number;
  readonly page: number;
  readonly version: 0 | 1;
}

const PAGE_BYTES = 4096;
const PAGES_MAX = 2;
/** Where the pages are; where the page tables are. */
const DATA = 0x2000_0000;
export const TABLES = 0x1000_0000;

/** Virtual address of a page, the same in each process. */
export function pageAddress(page: number): number {
  return (page + 1) * PAGE_BYTES;
}

/** The page at a virtual address. */
export function pageAt(va: number): number {
  return va / PAGE_BYTES - 1;
}

/** Physical address of a page. */
export function physicalAddress({ mm, page, version }: Page): number {
  return DATA + ((mm * PAGES_MAX + page) * 2 + version) * PAGE_BYTES;
}

/** What a table page has in it once it is free and somebody else's: entries of pages that are nobody's here. */
export const GARBAGE = DATA + 0x10_0000;

/** Whether a physical address was found by a walk through such a table. */
export function isGarbage(pa: number): boolean {
  return pa >= GARBAGE;
}

/** The page at a physical address. */
export function pageOf(pa: number): Page {
  const at = (pa - DATA) / PAGE_BYTES;
  return { mm: Math.floor(at / (2 * PAGES_MAX)), page: Math.floor(at / 2) % PAGES_MAX, version: at % 2 === 0 ? 0 : 1 };
}

/** Physical address of the top-level table of a process. */
export function tableAddress(mm: number): number {
  return TABLES + mm * PAGE_BYTES;
}

/** Physical address of the other table of a process, if tables have two levels. */
export function lastTableAddress(mm: number, mms: number): number {
  return tableAddress(mms + mm);
}

/** Addresses that a process may have mapped. */
export function pageRange(pages: number): { readonly start: number; readonly end: number } {
  return { start: pageAddress(0), end: pageAddress(pages) };
}
