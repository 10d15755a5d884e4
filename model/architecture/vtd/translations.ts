import type { PageRange } from './invalidation.ts';
import { nameOfSpace, type VtdUniverse } from './universe.ts';

/** Translations are bits: those of a space are neighbours, one for each page. */

/** The translations of all pages to a space. */
export function everyPage({ pages }: VtdUniverse, space: number): number {
  return ((1 << pages.length) - 1) << (space * pages.length);
}

/** The translations of some pages to any space; of all pages if none are given. */
export function covered({ spaces, pages }: VtdUniverse, range: PageRange | undefined): number {
  let bits = 0;
  for (let space = 0; space <= spaces.length; space++)
    for (const [index, page] of pages.entries())
      if (range === undefined || (page >= range.first && page < range.first + range.count))
        bits |= 1 << (space * pages.length + index);
  return bits;
}

/** Bit set of the spaces that translations lead to, for any page. */
export function spacesOf(universe: VtdUniverse, bits: number): number {
  let spaces = 0;
  for (let space = 0; space <= universe.spaces.length; space++)
    if ((bits & everyPage(universe, space)) !== 0) spaces |= 1 << space;
  return spaces;
}

/** Translations in words. */
export function describeBits(universe: VtdUniverse, bits: number): string {
  const spaces = spacesOf(universe, bits);
  const named = Array.from({ length: universe.spaces.length + 1 }, (_, space) => space)
    .filter((space) => (spaces & (1 << space)) !== 0)
    .map((space) => nameOfSpace(universe, space));
  return `{${named.join(', ')}}`;
}
