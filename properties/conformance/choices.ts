/** Choices of the generator, on top of any source that is uniform over small ranges. */

/** Uniform choices; the engine's `Random` is one. */
export interface Choices {
  /** An integer in 0 … n - 1; n at most 65536. */
  below(n: number): number;
}

/** True with a probability given in percent. */
export const percent = (choices: Choices, probability: number): boolean => choices.below(100) < probability;

/** One element of a list that is not empty. */
export const pick = <T>(choices: Choices, list: readonly T[]): T => list[choices.below(list.length)] as T;

/** One of several values, each with a weight; those of weight 0 are never picked. */
export const weighted = <T>(choices: Choices, list: readonly (readonly [number, T])[]): T => {
  let at = choices.below(list.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, value] of list) {
    at -= weight;
    if (at < 0) return value;
  }
  return (list.at(-1) as readonly [number, T])[1];
};
