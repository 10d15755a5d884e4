import { generationOf, makeTag, NUMBER_MAX, numberOf, showTag, type TagId } from '../generations/index.ts';

/**
 * `mm->context.id`: an ASID with the generation that gave it out above it (`asid2ctxid`). 0 stands for none, since ASID 0
 * belongs to `init_mm` and generations count from 1.
 */
export type ContextId = TagId;

/** The greatest ASID that a context id, and a set of ASIDs in one word, have room for. */
export const ASID_MAX = NUMBER_MAX - 1;

/** `asid2ctxid()`. */
export const asid2ctxid = makeTag;

/** `ctxid2asid()`. */
export const ctxid2asid = numberOf;

/** "ASID 2 of generation 1" as "2/g1". */
export const showContextId = showTag;

export { generationOf };
