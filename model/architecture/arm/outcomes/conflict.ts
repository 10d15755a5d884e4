import { PAGE_BYTES } from '../universe.ts';
import type { Leaf } from '../translation/walk-node.ts';

/**
 * Whether two of the entries that match may be reported as a conflict (IHI 0070 §3.21.1, Arm ARM D8.17.1): they differ
 * in size, output address or memory attributes, or one is global and the other is not. Entries from one contiguous run
 * differ in none of these.
 *
 * @param nTHonoured blocks with nT are not in conflict with entries of another size (IDR3.BBML = 1).
 */
export function mayConflict(leaves: readonly Leaf[], count: number, nTHonoured: boolean): boolean {
  for (let at = 1; at < count; at++)
    for (let other = 0; other < at; other++)
      if (areInConflict(leaves[at] as Leaf, leaves[other] as Leaf, nTHonoured)) return true;
  return false;
}

function areInConflict(first: Leaf, second: Leaf, nTHonoured: boolean): boolean {
  if (first.span !== second.span) return !(nTHonoured && (first.nT || second.nT));
  return (
    first.pa - first.page * PAGE_BYTES !== second.pa - second.page * PAGE_BYTES ||
    first.attributes !== second.attributes ||
    (first.global === undefined) !== (second.global === undefined)
  );
}
