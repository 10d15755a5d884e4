/**
 * State of an entry of a TLB that several CPUs invalidate, as the value of its cell.
 *
 * Their TLBIs complete in any order. So a copy of the entry has the set of those that take it away, as a mask of slots
 * (`OutstandingTlbis`): it goes with the first of them that completes. The entry may have been read in several ways, at
 * several times, so that there are several copies: it goes with the last of them. A copy whose set contains that of
 * another tells nothing, for it goes first. What is left is:
 *
 *   0             it is not held
 *   1             it is held, and no TLBI takes it away
 *   1 + m         it goes with the first TLBI of the mask m
 *   1 + m + n·2¹² there are two copies, with the masks m < n, of which neither contains the other
 *
 * Of three or more such copies the one that comes last is forgotten: the entry may then go earlier than hardware may keep
 * it, and never later. (It takes three TLBIs at once, and three ways to read the same entry.)
 */
export type HoldState = number;

/** It is not held. */
export const ABSENT = 0;
/** It is held, and no TLBI that is outstanding takes it away. */
export const HELD = 1;

const BITS = 12;
const MASK = (1 << BITS) - 1;

/** The first copy of something held: its mask. */
export function firstCopy(state: HoldState): number {
  return (state - HELD) & MASK;
}

/** The second copy of something held: its mask, or 0 if there is one copy only. */
export function secondCopy(state: HoldState): number {
  return (state - HELD) >>> BITS;
}

/** A TLBI with these bits covers the entry, all copies of it. */
export function doom(state: HoldState, bits: number): HoldState {
  if (state === ABSENT) return ABSENT;
  const second = secondCopy(state);
  const doomed = HELD + (firstCopy(state) | bits);
  return second === 0 ? doomed : addCopy(doomed, second | bits);
}

/** TLBIs with these bits have completed. */
export function complete(state: HoldState, bits: number): HoldState {
  if (state <= HELD || ((state - HELD) & (bits | (bits << BITS))) === 0) return state;
  const second = secondCopy(state);
  const keepFirst = (firstCopy(state) & bits) === 0;
  if (second === 0 || (second & bits) !== 0) return keepFirst ? HELD + firstCopy(state) : ABSENT;
  return keepFirst ? state : HELD + second;
}

/** The entry has been read, and TLBIs with the bits of `mask` take away what was read (0: none). */
export function addCopy(state: HoldState, mask: number): HoldState {
  if (state === HELD || mask === 0) return HELD;
  if (state === ABSENT) return HELD + mask;
  const first = firstCopy(state);
  const second = secondCopy(state);
  if (contains(mask, first) || (second !== 0 && contains(mask, second))) return state;
  const keepFirst = !contains(first, mask);
  const keepSecond = second !== 0 && !contains(second, mask);
  // Three that do not contain each other: there is room for two.
  if (keepFirst && keepSecond) return state;
  if (keepFirst) return pair(first, mask);
  return keepSecond ? pair(second, mask) : HELD + mask;
}

function contains(mask: number, part: number): boolean {
  return (mask & part) === part;
}

function pair(one: number, other: number): HoldState {
  return HELD + (one < other ? one + (other << BITS) : other + (one << BITS));
}
