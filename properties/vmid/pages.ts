/** A page of a virtual machine: at each address it has one of two, by turns, so that an old one is told from the next. */
export interface Page {
  readonly vm: number;
  readonly page: number;
  readonly version: 0 | 1;
}

const PAGE_BYTES = 4096;
const PAGES_MAX = 2;
/** Where the pages are; where the stage 2 tables are. */
const DATA = 0x2000_0000;
export const TABLES = 0x1000_0000;

/** Intermediate physical address of a page, the same in each machine. */
export function pageAddress(page: number): number {
  return (page + 1) * PAGE_BYTES;
}

/** The page at an intermediate physical address. */
export function pageAt(ipa: number): number {
  return ipa / PAGE_BYTES - 1;
}

/** Physical address of a page. */
export function physicalAddress({ vm, page, version }: Page): number {
  return DATA + ((vm * PAGES_MAX + page) * 2 + version) * PAGE_BYTES;
}

/** The page at a physical address. */
export function pageOf(pa: number): Page {
  const at = (pa - DATA) / PAGE_BYTES;
  return { vm: Math.floor(at / (2 * PAGES_MAX)), page: Math.floor(at / 2) % PAGES_MAX, version: at % 2 === 0 ? 0 : 1 };
}

/** Physical address of the stage 2 table of a machine; of the host’s table, for the number after the last. */
export function tableAddress(vm: number): number {
  return TABLES + vm * PAGE_BYTES;
}
