/**
 * What an allocator with generations gives out: the number of a tag (an ASID, a VMID) with the generation that gave it out
 * above it. 0 stands for none, since generations count from 1.
 */
export type TagId = number;

/** Bits of a number here: enough for the few that a small world has, in pairs too. */
const NUMBER_BITS = 5;

/** The greatest number that an id has room for. */
export const NUMBER_MAX = (1 << NUMBER_BITS) - 1;

/** The id of a number in a generation. */
export function makeTag(number: number, generation: number): TagId {
  return number | (generation << NUMBER_BITS);
}

/** The number of an id. */
export function numberOf(id: TagId): number {
  return id & NUMBER_MAX;
}

/** The generation of an id. */
export function generationOf(id: TagId): number {
  return id >>> NUMBER_BITS;
}

/** "Number 2 of generation 1" as "2/g1". */
export function showTag(id: TagId): string {
  return id === 0 ? 'none' : `${numberOf(id)}/g${generationOf(id)}`;
}
