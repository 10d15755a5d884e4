/** An address or a word as a report shows it. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Highest ASID that an invalidation set can hold: the set is one 32-bit cell, published by one store. */
export const ASID_MAX = 31;

/** The ASIDs of an invalidation set, ascending. */
export function tagsOf(set: number): number[] {
  const tags: number[] = [];
  for (let asid = 0; asid <= ASID_MAX; asid++) if (((set >>> asid) & 1) === 1) tags.push(asid);
  return tags;
}

/** An invalidation set as a report shows it: "{5, 6}". */
export function formatTags(set: number): string {
  return `{${tagsOf(set).join(', ')}}`;
}
