/**
 * What a run of a model may come by. Without these a check says nothing: a model in which no roll-over happens shows no bug
 * of roll-overs.
 */
export const WITNESSES = [
  'the fast path was taken',
  'the slow path found the tag valid under the lock',
  'a roll-over happened',
  'the fast path met a roll-over',
  'a running tag was reserved at a roll-over',
  'a tag stayed reserved through a second roll-over',
  'a space found its tag reserved',
  'a space took its old number again',
  'a space got another number',
  'a CPU flushed its TLB after a roll-over',
  'a space ran on two CPUs',
  'an invalidation met a tag that had changed since it was read',
  'a pinned tag was kept at a roll-over',
  'a vCPU was put while a roll-over went on',
  'a roll-over met an idle CPU',
] as const;

/** One of `WITNESSES`. */
export type Witness = (typeof WITNESSES)[number];

/** Index for `Machine.tally`. */
export function witnessIndex(witness: Witness): number {
  return WITNESSES.indexOf(witness);
}
