/**
 * How much has not been seen: estimates from how many kinds were seen in one unit of sampling only, and in two. A unit is
 * what is drawn independently: a run of a program, or a program; a kind is what a unit shows (a trace, a final state). The
 * estimates suppose that units are drawn alike, so they hold for going on as before, not for another configuration.
 *
 * Good, "The population frequencies of species and the estimation of population parameters" (Biometrika 40, 1953); Chao,
 * "Nonparametric estimation of the number of classes in a population" (Scandinavian Journal of Statistics 11, 1984); for
 * their use in fuzzing, Böhme, "STADS: software testing as species discovery" (ACM TOSEM 27, 2018).
 */
export interface Sample {
  /** Units drawn. */
  units: number;
  /** Different kinds seen. */
  kinds: number;
  /** Kinds seen in exactly one unit, and in exactly two. */
  once: number;
  twice: number;
}

/**
 * Kinds not seen before that one more unit is expected to show (Good-Turing). Where a unit shows one kind, this is the
 * probability that the next one is new. 1 if nothing was drawn.
 */
export function newPerUnit({ units, once }: Sample): number {
  return units === 0 ? 1 : once / units;
}

/** The number of kinds that there are, at least: the bias-corrected lower bound of Chao, on average over samples. */
export function kindsAtLeast({ units, kinds, once, twice }: Sample): number {
  if (units === 0) return 0;
  return kinds + (((units - 1) / units) * (once * (once - 1))) / (2 * (twice + 1));
}

/** Probability, about, that any two of `count` different things have the same 64-bit fingerprint. */
export function collisionProbability(count: number): number {
  return (count * count) / 2 ** 65;
}

/** Adds a sample of other units to a sum. Kinds that both have seen then count twice: the sum is an upper estimate. */
export function addSample(sum: Sample, other: Readonly<Sample>): void {
  sum.units += other.units;
  sum.kinds += other.kinds;
  sum.once += other.once;
  sum.twice += other.twice;
}

/** A sample of nothing. */
export function emptySample(): Sample {
  return { units: 0, kinds: 0, once: 0, twice: 0 };
}
