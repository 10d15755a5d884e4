import type { KernelConfig } from '../../impl/kernel/index.ts';

/** Address of each page that programs may name by index, the same in each process and in the private domain. */
export const PAGES = [0x1000, 0x2000] as const;
/** Each page of each space has two pages of memory, by turns, so that an old one is told from the one after it. */
export const FRAMES = 2;

const FRAME_BASE = 0x5000_0000;
const FRAME_BYTES = 0x1000;

/** Address of a page. */
export function addressOfPage(page: number): number {
  return PAGES[page] as number;
}

/** Physical address of one of the pages of memory of a page of a space. */
export function framePa(space: number, page: number, frame: number): number {
  return FRAME_BASE + ((space * PAGES.length + page) * FRAMES + frame) * FRAME_BYTES;
}

/** Name of a space: "domain0", "mm0". */
export function spaceName(config: KernelConfig, space: number): string {
  if (space < config.domains) return `domain${space}`;
  return space < config.domains + config.processes.length ? `mm${space - config.domains}` : 'the short-lived domain';
}

/** Name of a page of memory by whose it is: "mm0's page 1", and "mm0's page 1 (second)". */
export function frameName(config: KernelConfig, pa: number): string {
  const index = (pa - FRAME_BASE) / FRAME_BYTES;
  const spaces = config.domains + config.processes.length;
  if (!Number.isInteger(index) || index < 0 || index >= spaces * PAGES.length * FRAMES) return `0x${pa.toString(16)}`;
  const page = Math.floor(index / FRAMES) % PAGES.length;
  const space = Math.floor(index / (FRAMES * PAGES.length));
  return `${spaceName(config, space)}.page${page}${index % FRAMES === 0 ? '' : "'"}`;
}
