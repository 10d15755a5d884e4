/**
 * `mm->context.id`: an ASID with the generation that gave it out above it (`asid2ctxid`). 0 stands for none, since ASID 0
 * belongs to `init_mm` and generations count from 1.
 */
export type ContextId = number;

/** Bits of an ASID here (`asid_bits`): enough for the few that a small world has, in pairs too. */
const ASID_BITS = 5;
const ASID_MASK = (1 << ASID_BITS) - 1;

/** The greatest ASID that a context id, and a set of ASIDs in one word, have room for. */
export const ASID_MAX = ASID_MASK - 1;

/** `asid2ctxid()`. */
export function asid2ctxid(asid: number, generation: number): ContextId {
  return asid | (generation << ASID_BITS);
}

/** `ctxid2asid()`. */
export function ctxid2asid(id: ContextId): number {
  return id & ASID_MASK;
}

/** The generation of a context id. */
export function generationOf(id: ContextId): number {
  return id >>> ASID_BITS;
}

/** "ASID 2 of generation 1" as "2/g1". */
export function showContextId(id: ContextId): string {
  return id === 0 ? 'none' : `${ctxid2asid(id)}/g${generationOf(id)}`;
}
